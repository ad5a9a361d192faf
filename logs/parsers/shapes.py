"""The shapes of lines that no parser knows: what varies is taken out, and equal ones are counted.

So an administrator sees what his firewalls send beside connections, and a developer which line a
parser should learn. Both the length of a shape and the number of shapes have bounds.
"""

from __future__ import annotations

import re

from logs.parsers.base import Shape
from logs.parsers.head import start

MOST_SHAPES = 200
OTHER = "other"
_MOST_READ = 512  # bytes of a line
_MOST_SHAPE = 160  # characters
_MOST_SAMPLE = 400
_VARYING = re.compile(
    rb"""(?P<quoted>"[^"]*"|'[^']*')"""
    rb"|(?P<address>\b(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
    rb"|(?:[0-9A-Fa-f]{1,4}:){2,7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{0,4}:){1,7}:[0-9A-Fa-f:]{0,38})\b)"
    rb"|(?P<hex>\b(?:0x[0-9A-Fa-f]+"
    rb"|(?=[0-9A-Fa-f-]{0,40}[0-9])[0-9A-Fa-f]{8,}(?:-[0-9A-Fa-f]{2,12})*)\b)"
    rb"|(?P<number>[0-9]+)"
)
_INSTEAD = {"quoted": b'"*"', "address": b"<address>", "hex": b"<hex>", "number": b"#"}


def shape_of(line: bytes) -> str:
    """Return the shape of a line: its program and message without quoted text and numbers."""
    begin = start(line)
    body = line[begin.at : begin.at + _MOST_READ]
    plain = _VARYING.sub(lambda found: _INSTEAD[found.lastgroup or "number"], body)
    named = f"{begin.program}: " if begin.program else ""
    return _text(named.encode() + plain, _MOST_SHAPE)


class Shapes:
    """Counts lines by shape; those of more shapes than are kept count as `OTHER`."""

    def __init__(self, most: int = MOST_SHAPES) -> None:
        """Keep `most` shapes beside OTHER."""
        self._most = most
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, line: bytes) -> None:
        """Count a line."""
        shape = shape_of(line)
        if shape not in self._found and len(self._found) >= self._most:
            shape = OTHER
        count, sample = self._found.get(shape, (0, ""))
        self._found[shape] = count + 1, sample or _text(line, _MOST_SAMPLE)

    @property
    def found(self) -> tuple[Shape, ...]:
        """The shapes, the most frequent first."""
        shapes = (Shape(shape, count, sample) for shape, (count, sample) in self._found.items())
        return tuple(sorted(shapes, key=lambda each: (-each.count, each.shape)))


def _text(raw: bytes, most: int) -> str:
    text = raw[: 4 * most].decode("utf-8", "replace").strip()[:most]
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
