"""What the state folder says, as bytes that tell whether they are whole.

A record is a JSON object for people to read too: `format`, `kind`, `sha256` over the other three,
`content`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from enforcement.kernel.base import Rules, Target, Verdict, Way

FORMAT = 1


class Step(StrEnum):
    """How far an apply has come."""

    PREPARED = "prepared"  # the sets may hold the old list or the new one
    SWITCHED = "switched"  # they hold the new one; it is not yet confirmed


@dataclass(frozen=True, slots=True)
class State:
    """What is in force."""

    target: Target | None  # None: it was taken out, and nothing is to be restored
    # Entries of each live set after the apply: a cheap look tells that nothing has changed.
    entries: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Journal:
    """An apply that is under way, with what it takes to undo it."""

    before: Target | None  # None: nothing was in force
    after: Target | None  # None: what is in force is taken out
    way: Way
    answered: frozenset[str] = frozenset()  # the canaries that answered before
    step: Step = Step.PREPARED


def seal_state(state: State) -> bytes:
    """Return a state as bytes."""
    content = {"target": _target_to(state.target), "entries": dict(state.entries)}
    return _seal("state", content)


def open_state(record: bytes) -> State:
    """Return the state; raises ValueError, naming what is wrong, for other bytes."""
    content = _open("state", record)
    return State(_target_of(content["target"]), content["entries"])


def seal_journal(journal: Journal) -> bytes:
    """Return a journal as bytes."""
    content = {
        "before": _target_to(journal.before),
        "after": _target_to(journal.after),
        "way": journal.way,
        "answered": sorted(journal.answered),
        "step": journal.step,
    }
    return _seal("journal", content)


def open_journal(record: bytes) -> Journal:
    """Return the journal; raises ValueError, naming what is wrong, for other bytes."""
    content = _open("journal", record)
    return Journal(
        before=_target_of(content["before"]),
        after=_target_of(content["after"]),
        way=Way(content["way"]),
        answered=frozenset(content["answered"]),
        step=Step(content["step"]),
    )


def _seal(kind: str, content: Mapping[str, object]) -> bytes:
    record = {"format": FORMAT, "kind": kind, "sha256": _sum(kind, content), "content": content}
    return json.dumps(record, indent=1).encode() + b"\n"


def _sum(kind: str, content: object) -> str:
    plain = json.dumps([FORMAT, kind, content], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _open(kind: str, record: bytes) -> dict[str, Any]:
    try:
        read = json.loads(record)
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from error
    if not isinstance(read, dict) or not {"format", "kind", "sha256", "content"} <= read.keys():
        raise ValueError(f"it is no {kind}")
    if read["format"] != FORMAT:
        raise ValueError(f"its format is {read['format']}, this program reads {FORMAT}")
    if read["kind"] != kind or read["sha256"] != _sum(kind, read["content"]):
        raise ValueError("its checksum does not fit")
    content: dict[str, Any] = read["content"]
    return content


def _target_to(target: Target | None) -> dict[str, Any] | None:
    if target is None:
        return None
    until = target.rules.paused_until
    plain = asdict(target)
    plain["rules"]["paused_until"] = None if until is None else until.isoformat()
    return plain


def _target_of(plain: Mapping[str, Any] | None) -> Target | None:
    if plain is None:
        return None
    rules = plain["rules"]
    until = rules["paused_until"]
    held = Rules(
        verdict=Verdict(rules["verdict"]),
        log_limit=rules["log_limit"],
        paused_until=None if until is None else datetime.fromisoformat(until),
    )
    return Target(**{**plain, "rules": held})
