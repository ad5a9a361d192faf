"""Make, change and delete sources, policies and protected addresses.

    create_source(*, name, kind, settings, options={}, actor, now) -> Source
    change_source(*, source, changes, actor, now) -> Source
    delete_source(*, source, actor, now) -> None
    create_policy(*, name, members, options={}, actor, now) -> Policy
    change_policy(*, policy, changes, members=None, actor, now) -> Policy
    delete_policy(*, policy, actor, now) -> None
    protect_network(*, network, reason, actor, now) -> ProtectedAddress
    change_protected(*, row, changes, actor, now) -> ProtectedAddress
    unprotect_network(*, row, actor, now) -> None

`options` and `changes` hold columns by name (SOURCE_COLUMNS, POLICY_COLUMNS, PROTECTED_COLUMNS);
what is not named stays as it is. `members` are the sources of a policy, each with its role, all of
them. Everything raises Refused (InUse where something else holds on to the row) and then nothing
was changed. What has to be retrieved or compiled anew is left due.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import ProtectedError

from netsets.special import DOCUMENTATION
from policies.models import Policy, PolicySource, ProtectedAddress, Source
from policies.models.source import LONGEST_REFRESH
from policies.services.changes import record_change
from policies.services.compile import guard_of
from policies.services.protected import AddressRefused, clean_network, make_policies_due
from policies.services.sources import build_engine, settings_key
from policies.services.user_list_rules import defaults_of, why_not_kept, why_not_taken
from policies.sources import SOURCES
from policies.sources.base import SourceMisconfigured
from policies.states import Role

SOURCE_COLUMNS = (
    "name", "kind", "settings", "may_be_empty", "shrink_limit", "refresh_minutes", "is_enabled",
)  # fmt: skip
POLICY_COLUMNS = (
    "name", "note", "widest4", "widest6", "max_share", "shrink_limit", "growth_limit",
    "keep_documentation", "empty_list_address",
)  # fmt: skip
PROTECTED_COLUMNS = ("network", "reason")
MAX_MEMBERS = 100
MAX_SETTINGS_BYTES = 1 << 20
MAX_RECORDED = 1000


class Refused(ValueError):
    """Something cannot be made or changed this way; the message says why and what to do."""

    def __init__(self, message: str, *, setting: str = "") -> None:
        """Keep the setting's name apart; it is empty where no single one is to blame."""
        super().__init__(message)
        self.setting = setting


class InUse(Refused):
    """Something else holds on to the row; let go of it there first."""


@dataclass(frozen=True, slots=True)
class Member:
    """A source in a policy, and what for."""

    source: Source
    role: Role


def create_source(
    *,
    name: str,
    kind: str,
    settings: Mapping[str, object],
    options: Mapping[str, object] | None = None,
    actor: str,
    now: datetime,
) -> Source:
    """Make a source; it is retrieved as soon as a policy takes it."""
    source = Source(due_at=now, **defaults_of(kind))
    _set(source, {**(options or {}), "name": name, "kind": kind, "settings": settings})
    _prepare_source(source)
    with transaction.atomic():
        _save(source)
        record_change(
            actor=actor, verb="create", subject=_subject(source), now=now,
            after=_columns(source),
        )  # fmt: skip
    return source


def change_source(
    *, source: Source, changes: Mapping[str, object], actor: str, now: datetime
) -> Source:
    """Change a source. After new settings its list is retrieved anew; until then the old one holds.

    A worker that is still retrieving with the old settings loses its claim.
    """
    before, key = _columns(source), source.settings_key
    _set(source, changes)
    _prepare_source(source)
    columns = [*changes, "settings_key", "due_at"]  # others may change the rest meanwhile
    source.due_at = now
    if source.settings_key != key:
        # The list held is another one's: the next is not measured against it.
        source.list_prefixes = 0
        source.claimed_by, source.claimed_until = "", None
        columns += ["list_prefixes", "claimed_by", "claimed_until"]
    with transaction.atomic():
        _save(source, update_fields=columns)
        Policy.objects.filter(sources=source).update(due_at=now)
        record_change(
            actor=actor, verb="change", subject=_subject(source), now=now,
            before=before, after=_columns(source),
        )  # fmt: skip
    return source


def delete_source(*, source: Source, actor: str, now: datetime) -> None:
    """Delete a source that no policy takes, with its retrievals."""
    with transaction.atomic():
        held = list(source.policies.order_by("name").values_list("name", flat=True)[:5])
        if held:
            raise InUse(
                f"source {source.name} is used by {', '.join(held)}; take it out there first"
            )
        before = _columns(source)
        source.delete()
        record_change(actor=actor, verb="delete", subject=_subject(source), now=now, before=before)


def create_policy(
    *,
    name: str,
    members: Sequence[Member],
    options: Mapping[str, object] | None = None,
    actor: str,
    now: datetime,
) -> Policy:
    """Make a policy; it is due at once."""
    policy = Policy(due_at=now)
    _set(policy, {**(options or {}), "name": name})
    _check_policy(policy)
    _check_members(members)
    with transaction.atomic():
        _save(policy)
        _set_members(policy, members)
        record_change(
            actor=actor, verb="create", subject=_subject(policy), now=now,
            after={**_columns(policy), "sources": _words(members)},
        )  # fmt: skip
    return policy


def change_policy(
    *,
    policy: Policy,
    changes: Mapping[str, object],
    members: Sequence[Member] | None = None,
    actor: str,
    now: datetime,
) -> Policy:
    """Change a policy, and its sources where `members` are given; it is due at once."""
    before = {**_columns(policy), "sources": _words(members_of(policy))}
    if members is not None:
        _check_members(members)
        if _words(members) == before["sources"]:
            members = None
    if policy.is_private and (
        members is not None or changes.get("name", policy.name) != policy.name
    ):
        raise Refused(
            f"policy {policy.name} belongs to one device; change that device's lists, or let it "
            f"follow another policy",
            setting="name" if members is None else "sources",
        )
    _set(policy, changes)
    _check_policy(policy)
    policy.due_at = now
    with transaction.atomic():
        _save(policy, update_fields=[*changes, "due_at"])
        if members is not None:
            policy.policy_sources.all().delete()
            _set_members(policy, members)
        record_change(
            actor=actor, verb="change", subject=_subject(policy), now=now,
            before=before, after={**_columns(policy), "sources": _words(members_of(policy))},
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


def protect_network(*, network: str, reason: str, actor: str, now: datetime) -> ProtectedAddress:
    """Keep an address or network out of every block list; every policy is due."""
    row = ProtectedAddress()
    _set(row, {"network": network, "reason": reason})
    _prepare_protected(row)
    with transaction.atomic():
        _save(row)
        make_policies_due(now=now)
        record_change(
            actor=actor, verb="protect", subject=_subject(row), now=now,
            after=_columns(row),
        )  # fmt: skip
    return row


def change_protected(
    *, row: ProtectedAddress, changes: Mapping[str, object], actor: str, now: datetime
) -> ProtectedAddress:
    """Change a protected address that a person wrote."""
    _refuse_kept(row)
    before = _columns(row)
    _set(row, changes)
    _prepare_protected(row)
    with transaction.atomic():
        _save(row, update_fields=list(changes))
        make_policies_due(now=now)
        record_change(
            actor=actor, verb="change", subject=_subject(row), now=now,
            before=before, after=_columns(row),
        )  # fmt: skip
    return row


def unprotect_network(*, row: ProtectedAddress, actor: str, now: datetime) -> None:
    """Let policies block an address again that a person had protected."""
    _refuse_kept(row)
    before = _columns(row)
    with transaction.atomic():
        row.delete()
        make_policies_due(now=now)
        record_change(
            actor=actor, verb="unprotect", subject=_subject(row), now=now,
            before=before,
        )  # fmt: skip


def members_of(policy: Policy) -> list[Member]:
    """Return the sources of a policy with their roles."""
    links = policy.policy_sources.select_related("source").order_by("role", "id")
    return [Member(link.source, Role(link.role)) for link in links]


def _prepare_source(source: Source) -> None:
    """Hold the settings to the rules of their kind and make the key; raises Refused."""
    if source.kind not in SOURCES:
        raise Refused(f"kind must be one of {', '.join(SOURCES)}", setting="kind")
    try:
        text = json.dumps(source.settings, ensure_ascii=False).encode()
        if len(text) > MAX_SETTINGS_BYTES:
            raise Refused(f"settings take up to {MAX_SETTINGS_BYTES:,} bytes", setting="settings")
        build_engine(kind=source.kind, settings=source.settings)
    except SourceMisconfigured as error:
        raise Refused(str(error), setting="settings") from error
    except (TypeError, UnicodeEncodeError) as error:
        raise Refused(f"settings cannot be stored as JSON: {error}", setting="settings") from error
    if reason := why_not_kept(source):
        raise Refused(reason, setting="settings")
    _check(source, SOURCE_COLUMNS)
    key = settings_key(kind=source.kind, settings=source.settings, name=source.name)
    twin = Source.objects.filter(settings_key=key).exclude(pk=source.pk).first()
    if twin is not None:
        raise Refused(f"source {twin.name} has these settings; use that one", setting="settings")
    source.settings_key = key
    if source.refresh_minutes > (most := LONGEST_REFRESH // timedelta(minutes=1)):
        raise Refused(f"refresh_minutes may be up to {most:,}", setting="refresh_minutes")


def _check_policy(policy: Policy) -> None:
    _check(policy, POLICY_COLUMNS)
    # It is blocked where a list is empty, past every cut and guard: it has to be nobody's.
    if policy.empty_list_address not in DOCUMENTATION:
        raise Refused(
            f"{policy.empty_list_address} is no documentation address; use one such as 192.0.2.1",
            setting="empty_list_address",
        )
    try:
        guard_of(policy)
    except ValueError as error:
        raise Refused(str(error), setting=str(error).partition(" ")[0]) from error


def _prepare_protected(row: ProtectedAddress) -> None:
    try:
        row.network = clean_network(row.network)
    except AddressRefused as error:
        raise Refused(str(error), setting="network") from error
    _check(row, PROTECTED_COLUMNS)
    if ProtectedAddress.objects.filter(network=row.network, origin="").exclude(pk=row.pk).exists():
        raise Refused(f"{row.network} is protected already", setting="network")


def _refuse_kept(row: ProtectedAddress) -> None:
    if row.origin:
        raise InUse(f"{row.network} is kept protected by {row.origin}; change it there")


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


def _set_members(policy: Policy, members: Sequence[Member]) -> None:
    PolicySource.objects.bulk_create(
        PolicySource(policy=policy, source=member.source, role=member.role) for member in members
    )


def _words(members: Sequence[Member]) -> list[str]:
    return sorted(f"{member.role} {member.source.name}" for member in members)


def _names(row: models.Model) -> Sequence[str]:
    """Return the columns of a row that a person may set."""
    if isinstance(row, Source):
        return SOURCE_COLUMNS
    return POLICY_COLUMNS if isinstance(row, Policy) else PROTECTED_COLUMNS


def _columns(row: models.Model) -> dict[str, object]:
    """Return a row's columns for the record of changes, long settings cut."""
    columns = {name: getattr(row, name) for name in _names(row)}
    if isinstance(row, Source):
        text = json.dumps(row.settings)
        cut = f"{text[:MAX_RECORDED]}… ({len(text):,} characters, {row.settings_key[:12]})"
        columns["settings"] = text if len(text) <= MAX_RECORDED else cut
    return columns


def _subject(row: models.Model) -> str:
    word = "address" if isinstance(row, ProtectedAddress) else row._meta.model_name  # noqa: SLF001
    return f"{word} {row.network if isinstance(row, ProtectedAddress) else row}"[:200]


def _set(row: models.Model, values: Mapping[str, object]) -> None:
    """Set the columns of a row; raises Refused for one that a person may not set."""
    known = _names(row)
    for name, value in values.items():
        if name not in known:
            raise Refused(f"{name} cannot be set; these can: {', '.join(known)}", setting=name)
        setattr(row, name, value)


def _check(row: models.Model, names: Sequence[str]) -> None:
    """Hold a row to its columns' own rules and to names that are taken; raises Refused."""
    fields = row._meta.concrete_fields  # noqa: SLF001  Django documents _meta
    others = [field.name for field in fields if field.name not in names]
    try:
        row.full_clean(exclude=others, validate_constraints=False)
    except ValidationError as error:
        setting, messages = next(iter(error.message_dict.items()))
        raise Refused(" ".join(messages), setting=setting) from error


def _save(row: models.Model, *, update_fields: Sequence[str] | None = None) -> None:
    try:
        with transaction.atomic():
            row.save(update_fields=update_fields)
    except IntegrityError as error:  # somebody else took the name meanwhile
        raise Refused(f"{row} was just taken by somebody else; look again") from error
