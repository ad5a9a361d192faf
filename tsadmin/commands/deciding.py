"""candidate: look at what the guard holds, approve it or discard it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from policies import services
from policies.models import Candidate, Policy
from policies.tasks import nudge
from tsadmin import ask
from tsadmin.commands.finding import find_policy
from tsadmin.commands.refreshed import addresses_of
from tsadmin.commands.updating import wait_while_busy
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, progress
from tsadmin.site import actor
from tsadmin.words import counted

_SHORTEST = 12  # characters of a digest that are enough to know it by


@dataclass(frozen=True, slots=True)
class Manner:
    """How a decision is taken: what was looked at, and whether somebody is there to ask."""

    digest: str | None
    may_ask: bool
    as_json: bool


def show_candidate(*, name: str, as_json: bool) -> None:
    """Print what the guard holds of a policy, and why."""
    policy = find_policy(name)
    candidate = services.held_candidate(policy)
    if as_json:
        held = candidate_json(candidate) if candidate else None
        print_json({"policy": policy.name, "state": policy.state, "candidate": held})
    elif candidate is None:
        print_line(f"The guard holds nothing of {policy}.")
    else:
        _print(policy, candidate)
        _hint(name, candidate)


def approve(*, name: str, manner: Manner, now: datetime) -> None:
    """Publish what is held, after a question or by its digest."""
    policy = find_policy(name)
    digest = _looked_at(policy, manner, question="Publish it?")
    with progress(quiet=manner.as_json) as on_progress:
        snapshot = wait_while_busy(
            lambda: services.approve_candidate(
                policy=policy, digest=digest, actor=actor(), now=now
            ),
            on_progress=on_progress,
        )
    if manner.as_json:
        print_json({"policy": policy.name, "approved": digest, "number": snapshot.number})
    else:
        print_line(f"Approved, and published as snapshot {snapshot.number}.", tone="success")


def discard(*, name: str, manner: Manner, now: datetime) -> None:
    """Let the snapshot in force stay, after a question or by the digest of what is held."""
    policy = find_policy(name)
    digest = _looked_at(policy, manner, question="Discard it?")
    services.discard_candidate(policy=policy, digest=digest, actor=actor(), now=now)
    nudge()
    if manner.as_json:
        print_json({"policy": policy.name, "discarded": digest})
    else:
        print_line("Discarded. The snapshot in force stays until the lists change again.")


def candidate_json(candidate: Candidate) -> dict[str, object]:
    """Return what is held, for programs."""
    return {
        "created_at": candidate.created_at,
        "block_digest": candidate.block_digest,
        "may_be_approved": candidate.may_be_approved,
        "findings": candidate.findings,
        "block_entries": candidate.block_prefixes,
        "allow_entries": candidate.allow_prefixes,
        "numbers": candidate.numbers,
        "cuts": dict(candidate.cuts),
        "sources": candidate.sources,
    }


def _looked_at(policy: Policy, manner: Manner, *, question: str) -> str:
    """Return the digest of what was looked at: as given, or shown now and confirmed."""
    candidate = services.held_candidate(policy)
    if candidate is None:
        raise Refused(f"the guard holds nothing of {policy}")
    if manner.digest is not None:
        is_it = len(manner.digest) >= _SHORTEST and candidate.block_digest.startswith(manner.digest)
        return candidate.block_digest if is_it else manner.digest
    if not manner.may_ask:
        raise Misused(f"say what was looked at: --digest {candidate.block_digest[:_SHORTEST]}")
    _print(policy, candidate)
    if not ask.confirm(question):
        raise Refused("nothing was changed")
    return candidate.block_digest


def _print(policy: Policy, candidate: Candidate) -> None:
    since = f"{candidate.created_at:%Y-%m-%d %H:%M} UTC"
    print_line(f"Policy {policy}: held by the guard since {since}.", tone="danger")
    for finding in candidate.findings:
        tone = "warning" if finding["is_change"] else "danger"
        print_line(f"{finding['rule']}: {finding['message']}", tone=tone)
    block = counted(candidate.block_prefixes, "entry", "entries")
    allow = counted(candidate.allow_prefixes, "entry", "entries")
    added, removed = addresses_of(candidate, "added"), addresses_of(candidate, "removed")
    print_line(f"Block {block}, allow {allow}; addresses blocked +{added:,} -{removed:,}.")
    for one in candidate.sources:
        retrieved = str(one.get("retrieved_at") or "never")[:16].replace("T", " ")
        print_line(f"{one['role']} list {one['name']}, retrieved {retrieved}")
    print_line(f"Digest {candidate.block_digest[:_SHORTEST]}")


def _hint(name: str, candidate: Candidate) -> None:
    if candidate.may_be_approved:
        print_hint(f"tsadmin candidate {name} --approve, or --discard.")
    else:
        print_hint(
            f"Nobody can approve this: change the policy or its sources. Or keep what is in force: "
            f"tsadmin candidate {name} --discard."
        )
