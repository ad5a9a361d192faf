"""Tests and priorities of a policy as lines that a person writes, and back again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policies.models import Source
from policies.services.manage_policies import DEFAULT_PRIORITY, Member, MustHold
from policies.states import Expectation


def tests_text(tests: Sequence[MustHold]) -> str:
    """Return one line a test: `192.0.2.7 must never be blocked # the pager`."""
    return "\n".join(
        f"{test.network} {test.expect.label}" + (f" # {_flat(test.note)}" if test.note else "")
        for test in tests
    )


def read_tests(text: str) -> list[MustHold]:
    """Read what `tests_text` writes; raises ValueError, which names the line.

    The address itself is left to the service.
    """
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [_read_test(number, line) for number, line in lines if line]


def _read_test(number: int, line: str) -> MustHold:
    said, _, note = (part.strip() for part in line.partition("#"))
    for expect in Expectation:
        network, found, rest = said.partition(f" {expect.label}")
        if found and not rest and network.strip():
            return MustHold(expect, network.strip(), note)
    wanted = " or ".join(f"'192.0.2.7 {expect.label}'" for expect in Expectation)
    raise ValueError(f"line {number}: write {wanted}, and a note behind a '#' if you like")


def priorities_text(members: Sequence[Member]) -> str:
    """Return one line for each source that has a priority of its own: `10 known scanners`."""
    own = [member for member in members if member.priority != DEFAULT_PRIORITY]
    return "\n".join(f"{member.priority} {member.source.name}" for member in own)


def read_priorities(text: str, sources: Sequence[Source]) -> Mapping[int, int]:
    """Return the priority by the id of a source; raises ValueError, which names the line."""
    known = {source.name: source.pk for source in sources}
    found: dict[int, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        priority, _, name = (part.strip() for part in line.strip().partition(" "))
        if not priority:
            continue
        if not (priority.isascii() and priority.isdigit() and len(priority) <= 4):
            raise ValueError(f"line {number}: write a number and the name of a source")
        if name not in known:
            raise ValueError(f"line {number}: {name or 'nothing'} is no source chosen above")
        found[known[name]] = int(priority)
    return found


def _flat(note: str) -> str:
    return " ".join(note.split())
