"""What must hold of lines that arrive at least once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def in_order(received: Iterable[bytes], expected: Sequence[bytes]) -> int:
    """Hold what each connection brought to this: all lines, in order, and none skipped.

    A connection may begin with lines that came before, and its last line may be cut off. Return how
    many lines came again. Each line must be another one.
    """
    number_of = {line: number for number, line in enumerate(expected)}
    behind = again = 0
    for brought in received:
        numbers = [number_of[line] for line in brought.split(b"\n")[:-1]]
        if not numbers:
            continue
        first, last = numbers[0], numbers[-1]
        assert numbers == list(range(first, last + 1)), "a connection is out of order"
        assert first <= behind, f"{first - behind} lines before line {first} are skipped"
        again += min(behind, last + 1) - first
        behind = max(behind, last + 1)
    assert behind == len(expected), f"{len(expected) - behind} lines are missing"
    return again
