"""Lines that no parser knows, counted by shape."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from logs.parsers.shapes import MOST_SHAPES, OTHER, Shapes, shape_of


@pytest.mark.parametrize(
    ("line", "shape"),
    [
        ("<13>Mar  1 01:02:36 gw-a sshd[77]: Failed for root from 192.0.2.7 port 22 ssh2",
         "sshd: Failed for root from <address> port # ssh#"),
        ("<13>Mar  1 01:02:36 gw-a dhcpd[7]: on 2001:db8::7 and 2001:db8:0:0:0:0:0:1 x",
         "dhcpd: on <address> and <address> x"),
        ("2026-03-01T01:02:36Z fw-a  %FTD-6-305012: Teardown 0x1f a 'b c' \"d\"",
         '%FTD-#-#: Teardown <hex> a "*" "*"'),
        ("id 00000000-0000-0000-0000-0000000000ab done", "id <hex> done"),
        ("deadbeef is a word and deadbeef01 is none", "deadbeef is a word and <hex> is none"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_varies_is_taken_out(line: str, shape: str) -> None:
    assert shape_of(line.encode()) == shape


@given(st.binary(max_size=900))
def test_any_line_has_a_shape_of_bounded_length(line: bytes) -> None:
    shape = shape_of(line)
    assert len(shape) <= 160
    assert shape.isprintable()


@given(st.lists(st.integers(0, 99), max_size=60))
def test_lines_that_differ_in_numbers_only_are_one_shape(numbers: list[int]) -> None:
    shapes = Shapes()
    for number in numbers:
        shapes.add(f"Mar  1 01:02:36 gw-a app[{number}]: took {number} ms".encode())
    assert [(each.shape, each.count) for each in shapes.found] == (
        [("app: took # ms", len(numbers))] if numbers else []
    )


def test_more_shapes_than_are_kept_are_counted_as_one() -> None:
    shapes = Shapes()
    words = [f"{chr(97 + first)}{chr(97 + second)}" for first in range(26) for second in range(26)]
    for word in words:
        shapes.add(f"word {word}".encode())
    found = shapes.found
    assert len(found) == MOST_SHAPES + 1
    assert found[0].shape == OTHER
    assert sum(each.count for each in found) == len(words)
    assert found[0].sample.startswith("word ")
