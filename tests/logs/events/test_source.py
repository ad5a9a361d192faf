"""A batch is read block by block, whole lines each, whatever it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from logs.events import source
from logs.events.source import read_batch
from logs.spool.base import Place

BLOCK = 16

short = st.binary(max_size=BLOCK - 1).map(lambda one: one.replace(b"\n", b"."))
longer = st.binary(min_size=BLOCK, max_size=5 * BLOCK).map(lambda one: one.replace(b"\n", b"."))


def read(folder: Path, data: bytes) -> list[tuple[int, bytes]]:
    """Return the lines of a batch as they are read, and where they begin."""
    place = Place(folder, "spool")
    place.batch(1).write_bytes(data)
    found = []
    for block in read_batch(place, 1, size=len(data), at=0):
        assert len(block.data) <= BLOCK
        offset = block.offset
        for line in block.data.removesuffix(b"\n").split(b"\n"):
            found.append((offset, line))
            offset += len(line) + 1
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(short | longer, min_size=1, max_size=8), is_ended=st.booleans())
def test_every_line_is_read_once_and_of_a_long_one_the_beginning(
    lines: list[bytes], is_ended: bool, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "BLOCK", BLOCK)
        if not is_ended:
            lines[-1] = lines[-1] or b"."
        found = read(tmp_path, b"\n".join(lines) + (b"\n" if is_ended else b""))
    assert [line for _, line in found] == [line[:BLOCK] for line in lines]
    begins = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    assert [offset for offset, _ in found] == begins
