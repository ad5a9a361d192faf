"""Compile a policy: gather its lists, hold them to the guard, publish what is new."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from netsets.cidr import AddressSet
from netsets.compile import Compiled, compile_policy, enforce
from netsets.cuts import Labelled
from netsets.guard import Guard, GuardTripped
from netsets.special import SPECIAL_PURPOSE
from policies.models import Policy, Snapshot, Source
from policies.services.protected import protected_addresses
from policies.services.publish import PublishFailed, publish_snapshot
from policies.states import PolicyState, Role
from policies.store import feed_is_whole, get_set, set_digest

log = logging.getLogger(__name__)


class InForceLost(PublishFailed):
    """The list in force cannot be read; a person has to accept whatever comes after it."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The sources of a policy whose lists are held, and the names of those that have none yet."""

    block: tuple[Source, ...]
    allow: tuple[Source, ...]
    missing_block: tuple[str, ...]
    missing_allow: tuple[str, ...]

    @property
    def reason_to_wait(self) -> str:
        """Why nothing may be published yet, empty when something may."""
        if self.missing_allow:
            # Without its exceptions a block list could cut off what must never be cut off.
            return f"waiting for the first allow list of {', '.join(self.missing_allow)}"
        if not self.block and self.missing_block:
            return f"waiting for the first block list of {', '.join(self.missing_block)}"
        if not self.block:
            return "the policy has no block source; add one"
        return ""


@dataclass(frozen=True, slots=True)
class CompileReport:
    """How a compile ended: the policy's state, why, and the snapshot when a new one came."""

    policy: str
    state: PolicyState
    detail: str = ""
    snapshot: Snapshot | None = None
    holds_change: bool = False  # a person may let pass what the guard held
    inputs_digest: str = ""  # of what was compiled; empty where that has to be tried again

    @property
    def try_again(self) -> bool:
        """Whether the same inputs may do better in a minute."""
        return self.state == PolicyState.FAILED


def compile_policy_now(
    *, policy_id: int, now: datetime, accept_change: bool = False
) -> CompileReport | None:
    """Compile and publish a policy once; None when another worker is at it.

    A tripped guard, a missing list or a full disk keeps the snapshot in force and says why on the
    policy. `accept_change` lets one change beyond the shrink and growth limits pass.
    """
    lease = timedelta(seconds=settings.TSCM_CLAIM_SECONDS)
    owner = Policy.objects.claim(pk=policy_id, now=now, lease=lease)
    if owner is None:
        return None
    try:
        policy = Policy.objects.select_related("current").get(pk=policy_id)
        report = _compile(policy, owner=owner, now=now, accept_change=accept_change)
        _write(policy, report, owner=owner, now=now)
    finally:
        Policy.objects.release(pk=policy_id, owner=owner)
    log.info("compile policy=%s state=%s %s", policy.name, report.state, report.detail)
    return report


def _compile(policy: Policy, *, owner: str, now: datetime, accept_change: bool) -> CompileReport:
    gathered = gather(policy)
    if gathered.reason_to_wait:
        return CompileReport(policy.name, PolicyState.WAITING, gathered.reason_to_wait)
    try:
        protected = protected_addresses()
    except (OSError, ValueError) as error:
        detail = f"what must never be blocked cannot be told: {error}"
        return CompileReport(policy.name, PolicyState.FAILED, detail)
    inputs = _inputs_digest(policy, gathered, protected)
    state, detail = _good_state(gathered)
    if inputs == policy.inputs_digest and _is_whole(policy.current):
        return CompileReport(policy.name, state, detail, inputs_digest=inputs)
    accept = accept_change or policy.is_accepted(now=now)
    try:
        compiled = compile_policy(
            block=[get_set(source.list_digest) for source in gathered.block],
            allow=[get_set(source.list_digest) for source in gathered.allow],
            guard=guard_of(policy),
            protected=[Labelled("protected address", protected)],
            previous=_previous(policy, accept_change=accept),
        )
        enforce(compiled, accept_change=accept)
        snapshot = _publish_if_new(policy, compiled, gathered, owner=owner, now=now)
    except GuardTripped as tripped:
        is_change = tripped.is_change
        return CompileReport(policy.name, PolicyState.HELD, str(tripped), holds_change=is_change)
    except (PublishFailed, OSError, ValueError) as error:
        is_lost = isinstance(error, InForceLost)
        return CompileReport(policy.name, PolicyState.FAILED, str(error), holds_change=is_lost)
    return CompileReport(policy.name, state, detail, snapshot, inputs_digest=inputs)


def _previous(policy: Policy, *, accept_change: bool) -> AddressSet | None:
    """Return the block list in force; None where there is none, or it is lost and that accepted.

    Raises InForceLost.
    """
    if policy.current is None:
        return None
    try:
        return get_set(policy.current.block_digest)
    except (OSError, ValueError) as error:
        if accept_change:
            return None
        raise InForceLost(
            f"the block list of snapshot {policy.current.number} cannot be read ({error}), so that "
            f"nothing new can be measured against it. Look at the sources, then update once with "
            f"'accept change'."
        ) from error


def _is_whole(current: Snapshot | None) -> bool:
    """Return whether there is a snapshot, and its feeds have the files that are served."""
    return current is not None and all(
        feed_is_whole(feed.digest, size=feed.size, gzip_size=feed.gzip_size)
        for feed in current.feeds.all()
    )


def _write(policy: Policy, report: CompileReport, *, owner: str, now: datetime) -> None:
    """Write the end of a compile; what became due meanwhile stays due."""
    mine = Policy.objects.filter(pk=policy.pk, claimed_by=owner)
    mine.update(
        state=report.state,
        state_detail=report.detail,
        holds_change=report.holds_change,
        inputs_digest=report.inputs_digest,
        compiled_at=now,
    )
    if not policy.sources.filter(is_enabled=True, due_at__lte=now).exists():
        # What was accepted is the change that all the sources bring together.
        mine.update(accepted_until=None)
    again = now + timedelta(minutes=1) if report.try_again else None
    mine.filter(due_at=policy.due_at).update(due_at=again)


def gather(policy: Policy) -> Gathered:
    """Return the policy's sources, split by role and by whether a list of theirs is held."""
    block: list[Source] = []
    allow: list[Source] = []
    missing: dict[str, list[str]] = {Role.BLOCK: [], Role.ALLOW: []}
    for link in policy.policy_sources.select_related("source").order_by("role", "id"):
        if not link.source.is_enabled:
            continue
        if not link.source.list_digest:
            missing[link.role].append(link.source.name)
        elif link.role == Role.BLOCK:
            block.append(link.source)
        else:
            allow.append(link.source)
    return Gathered(
        tuple(block), tuple(allow), tuple(missing[Role.BLOCK]), tuple(missing[Role.ALLOW])
    )


def guard_of(policy: Policy) -> Guard:
    """Return the policy's guard as the value the compile takes."""
    return Guard(
        widest4=policy.widest4,
        widest6=policy.widest6,
        max_share=float(policy.max_share) / 100,
        shrink_limit=policy.shrink_limit / 100,
        growth_limit=policy.growth_limit / 100,
        keep_documentation=policy.keep_documentation,
    )


def _good_state(gathered: Gathered) -> tuple[PolicyState, str]:
    if gathered.missing_block:
        return PolicyState.PARTIAL, f"without {', '.join(gathered.missing_block)}: no list yet"
    return PolicyState.CURRENT, ""


def _inputs_digest(policy: Policy, gathered: Gathered, protected: AddressSet) -> str:
    """Return one digest over everything a compile depends on."""
    parts = [
        repr(guard_of(policy)),
        str(policy.empty_list_address),
        set_digest(protected),
        set_digest(SPECIAL_PURPOSE),  # an upgrade may know more ranges
        *(f"block {source.list_digest}" for source in gathered.block),
        *(f"allow {source.list_digest}" for source in gathered.allow),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _publish_if_new(
    policy: Policy, compiled: Compiled, gathered: Gathered, *, owner: str, now: datetime
) -> Snapshot | None:
    """Publish unless the compiled lists are those of the current snapshot, and it is whole."""
    current = policy.current
    unchanged = current is not None and (
        current.block_digest == set_digest(compiled.block)
        and current.allow_digest == set_digest(compiled.allow)
        and current.empty_list_address == policy.empty_list_address
    )
    if unchanged and _is_whole(current):
        return None
    manifest = [
        {"name": source.name, "role": str(role), "digest": source.list_digest}
        for role, sources in ((Role.BLOCK, gathered.block), (Role.ALLOW, gathered.allow))
        for source in sources
    ]
    return publish_snapshot(
        policy=policy, compiled=compiled, manifest=manifest, owner=owner, now=now
    )
