"""What one measured row is, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass


class RowSkipped(Exception):
    """A row that cannot be measured here; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside its peer's, from the same run."""

    name: str  # "P1"
    work: str
    peer: str  # the peer's command, as a reader would know it
    peer_value: float
    our_value: float
    unit: str  # "s", "MB/s", "304/s"
    goal: str  # "≤ 0.25"
    note: str = ""  # memory, equal output, sizes

    @property
    def ratio(self) -> float:
        """Ours over the peer's."""
        return self.our_value / self.peer_value

    def line(self) -> str:
        """Return the row as one line, the ratio last."""
        note = f" ({self.note})" if self.note else ""
        return (
            f"{self.name}  {self.work}{note}  {self.peer} {self.peer_value:.3f} {self.unit}  "
            f"ours {self.our_value:.3f} {self.unit}  goal {self.goal}  ratio {self.ratio:.3f}"
        )
