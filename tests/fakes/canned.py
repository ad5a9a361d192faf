"""A server that has said all it will say, and messages with bytes changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from policies.sources.base import Deadline
from policies.sources.dns_servers import Address
from policies.sources.zone_errors import EndedEarly
from policies.sources.zone_stream import Stream


class Canned(Stream):
    """A stream whose server has said all it will say; ids are those of the question."""

    def __init__(self, wires: Sequence[bytes]) -> None:
        super().__init__(
            Address("192.0.2.53", 53),
            host="192.0.2.53",
            tls=None,
            deadline=Deadline.after(60),
            max_bytes=1 << 20,
        )
        self._wires = wires
        self._id = b""

    def send(self, message: bytes) -> None:
        self._id = message[:2]

    def messages(self) -> Iterator[bytes]:
        for wire in self._wires:
            yield self._id + wire[2:]
        raise EndedEarly("that was all")


spoils = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 2000), st.integers(0, 255)), max_size=4
)


def spoilt(wires: list[bytes], drawn: list[tuple[int, int, int]]) -> list[bytes]:
    changed = [bytearray(wire) for wire in wires]
    for which, place, byte in drawn:
        wire = changed[which % len(changed)]
        wire[place % len(wire)] = byte
    return [bytes(wire) for wire in changed]
