"""What is counted of what came: one tally a thread that reads, added up by whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self


@dataclass(slots=True)
class Tally:
    """Counts since the receiver started. Written by one thread, read by any."""

    messages: int = 0  # told apart, whoever sent them
    bytes: int = 0
    cut: int = 0  # longer than allowed: kept up to there, and marked
    octet_counted: int = 0
    resynchronised: int = 0  # an octet count that was none
    nul: int = 0  # NUL bytes that ended messages, and messages with some inside
    newlines: int = 0  # inside a counted message or a datagram, written as #012
    run_together: int = 0  # IOS messages without anything between them
    empty: int = 0  # nothing between two ends of line
    unterminated: int = 0  # taken as they were at the end of a connection, or after a pause
    connections: int = 0
    refused_connections: int = 0  # over the limit
    failed_handshakes: int = 0
    kernel_drops: int = 0  # datagrams that the kernel had no room for

    def __add__(self, other: Tally) -> Tally:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Tally(**sums)

    @classmethod
    def total(cls, tallies: list[Self]) -> Tally:
        """Return the sum of several."""
        return sum(tallies, start=Tally())
