"""Make, change and delete policies.

    create_policy(*, name, members, tests=(), options={}, actor, now) -> Policy
    change_policy(*, policy, changes, members=None, tests=None, actor, now) -> Policy
    delete_policy(*, policy, actor, now) -> None

`options` and `changes` hold columns by name (POLICY_COLUMNS); what is not named stays as it is.
`members` are the sources of a policy, each with its role and priority, all of them; `tests` what
must hold before it is published, all of them. Everything raises Refused (InUse where something else
holds on to the row) and then nothing was changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import ProtectedError

from netsets.critical import CRITICAL
from netsets.span import Span
from netsets.special import DOCUMENTATION
from policies.models import Policy, PolicySource, PolicyTest, Source
from policies.services.changes import record_change
from policies.services.guards import guard_of
from policies.services.rows import InUse, Refused, check_columns, save_row, set_columns
from policies.services.user_list_rules import why_not_taken
from policies.states import Expectation, Role

POLICY_COLUMNS = (
    "name", "note", "widest4", "widest6", "max_share", "shrink_limit", "growth_limit",
    "reject_limit", "keep_special", "protect_critical", "critical_except", "stale_entries",
    "keep_documentation", "merge_to4", "merge_to6", "keep_snapshots", "keep_days",
    "empty_list_address",
)  # fmt: skip
MAX_MEMBERS = 100
MAX_TESTS = 500
MAX_PRIORITY = 1000
MAX_NOTE = 200  # characters
DEFAULT_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Member:
    """A source in a policy: what for, and how long it is kept where there is no room for all."""

    source: Source
    role: Role
    priority: int = DEFAULT_PRIORITY


@dataclass(frozen=True, slots=True)
class MustHold:
    """What must hold of an address, a network or a range before a policy is published."""

    expect: Expectation
    network: str
    note: str = ""


def create_policy(
    *,
    name: str,
    members: Sequence[Member],
    tests: Sequence[MustHold] = (),
    options: Mapping[str, object] | None = None,
    actor: str,
    now: datetime,
) -> Policy:
    """Make a policy; it is due at once."""
    policy = Policy(due_at=now)
    set_columns(policy, {**(options or {}), "name": name}, known=POLICY_COLUMNS)
    _check_policy(policy)
    _check_members(members)
    tests = _checked_tests(tests)
    with transaction.atomic():
        save_row(policy)
        _set_members(policy, members)
        _set_tests(policy, tests)
        record_change(
            actor=actor, verb="create", subject=_subject(policy), now=now,
            after=_told(policy, members, tests),
        )  # fmt: skip
    return policy


def change_policy(
    *,
    policy: Policy,
    changes: Mapping[str, object],
    members: Sequence[Member] | None = None,
    tests: Sequence[MustHold] | None = None,
    actor: str,
    now: datetime,
) -> Policy:
    """Change a policy, its sources where `members` are given, its tests where `tests` are.

    It is due at once.
    """
    held = members_of(policy)
    before = _told(policy, held, tests_of(policy))
    if members is not None:
        _check_members(members)
        members = None if _words(members) == _words(held) else members
    tests = None if tests is None else _checked_tests(tests)
    _refuse_private(policy, changes, members)
    set_columns(policy, changes, known=POLICY_COLUMNS)
    _check_policy(policy)
    policy.due_at = now
    with transaction.atomic():
        save_row(policy, update_fields=[*changes, "due_at"])
        if members is not None:
            policy.policy_sources.all().delete()
            _set_members(policy, members)
        if tests is not None:
            policy.tests.all().delete()
            _set_tests(policy, tests)
        record_change(
            actor=actor, verb="change", subject=_subject(policy), now=now,
            before=before, after=_told(policy, members_of(policy), tests_of(policy)),
        )  # fmt: skip
    return policy


def delete_policy(*, policy: Policy, actor: str, now: datetime) -> None:
    """Delete a policy that no device follows, with its snapshots; its sources stay."""
    before = _columns(policy)
    try:
        with transaction.atomic():
            policy.delete()
            record_change(
                actor=actor, verb="delete", subject=_subject(policy), now=now,
                before=before,
            )  # fmt: skip
    except ProtectedError as error:
        held = ", ".join(sorted(str(row) for row in error.protected_objects)[:5])
        raise InUse(
            f"policy {before['name']} is followed by {held}; let them follow another one first"
        ) from error


def members_of(policy: Policy) -> list[Member]:
    """Return the sources of a policy with their roles and priorities."""
    links = policy.policy_sources.select_related("source").order_by("role", "priority", "id")
    return [Member(link.source, Role(link.role), link.priority) for link in links]


def tests_of(policy: Policy) -> list[MustHold]:
    """Return what must hold before the policy is published."""
    rows = policy.tests.order_by("network", "id")
    return [MustHold(Expectation(row.expect), row.network, row.note) for row in rows]


def _refuse_private(
    policy: Policy, changes: Mapping[str, object], members: Sequence[Member] | None
) -> None:
    """Refuse another name or other sources for a policy that is made from a device's lists."""
    if not policy.is_private:
        return
    if members is not None or changes.get("name", policy.name) != policy.name:
        raise Refused(
            f"policy {policy.name} belongs to one device; change that device's lists, or let it "
            f"follow another policy",
            setting="name" if members is None else "sources",
        )


def _check_policy(policy: Policy) -> None:
    check_columns(policy, POLICY_COLUMNS)
    # It is blocked where a list is empty, past every cut and guard: it has to be nobody's.
    if policy.empty_list_address not in DOCUMENTATION:
        raise Refused(
            f"{policy.empty_list_address} is no documentation address; use one such as 192.0.2.1",
            setting="empty_list_address",
        )
    _check_groups(policy)
    try:
        guard_of(policy)
    except ValueError as error:
        raise Refused(str(error), setting=str(error).partition(" ")[0]) from error


def _check_groups(policy: Policy) -> None:
    groups = policy.critical_except
    if not isinstance(groups, list) or any(group not in CRITICAL for group in groups):
        raise Refused(f"use names of {', '.join(CRITICAL)}", setting="critical_except")


def _check_members(members: Sequence[Member]) -> None:
    if len(members) > MAX_MEMBERS:
        raise Refused(f"a policy takes up to {MAX_MEMBERS} sources", setting="sources")
    seen: set[int] = set()
    for member in members:
        if member.source.pk in seen:
            raise Refused(
                f"source {member.source.name} stands twice; a policy takes it once",
                setting="sources",
            )
        seen.add(member.source.pk)
        if reason := why_not_taken(member.source, role=member.role):
            raise Refused(reason, setting="sources")
        if not 1 <= member.priority <= MAX_PRIORITY:
            raise Refused(
                f"priority of {member.source.name} must be from 1 to {MAX_PRIORITY}",
                setting="sources",
            )


def _checked_tests(tests: Sequence[MustHold]) -> list[MustHold]:
    """Return the tests with their networks in canonical form; raises Refused."""
    if len(tests) > MAX_TESTS:
        raise Refused(f"a policy takes up to {MAX_TESTS} tests", setting="tests")
    checked: dict[str, MustHold] = {}
    for test in tests:
        if len(test.note) > MAX_NOTE:
            raise Refused(
                f"the note of {test.network[:100]} may have up to {MAX_NOTE} characters",
                setting="tests",
            )
        try:
            network = str(Span.exactly(test.network.strip()))
        except ValueError as error:
            raise Refused(str(error), setting="tests") from error
        if network in checked:
            raise Refused(f"{network} is tested twice; once is enough", setting="tests")
        checked[network] = MustHold(test.expect, network, test.note)
    return list(checked.values())


def _set_members(policy: Policy, members: Sequence[Member]) -> None:
    PolicySource.objects.bulk_create(
        PolicySource(
            policy=policy, source=member.source, role=member.role, priority=member.priority
        )
        for member in members
    )


def _set_tests(policy: Policy, tests: Sequence[MustHold]) -> None:
    PolicyTest.objects.bulk_create(
        PolicyTest(policy=policy, expect=test.expect, network=test.network, note=test.note)
        for test in tests
    )


def _told(
    policy: Policy, members: Sequence[Member], tests: Sequence[MustHold]
) -> dict[str, object]:
    """Return a policy as the record of changes tells it."""
    wanted = sorted(f"{test.network} {test.expect.label}" for test in tests)
    return _columns(policy) | {"sources": _words(members), "tests": wanted}


def _words(members: Sequence[Member]) -> list[str]:
    return sorted(
        f"{member.role} {member.source.name}"
        + ("" if member.priority == DEFAULT_PRIORITY else f" priority {member.priority}")
        for member in members
    )


def _columns(policy: Policy) -> dict[str, object]:
    return {name: getattr(policy, name) for name in POLICY_COLUMNS}


def _subject(policy: Policy) -> str:
    return f"policy {policy}"[:200]
