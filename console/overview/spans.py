"""How far the start page can look back: as far as the presets of the report page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from logs.reports.asked import LASTS, at_a_step
from logs.reports.steps import step_of


@dataclass(frozen=True, slots=True)
class Span:
    """A time that the start page can look back over."""

    key: str  # as the report page calls it
    label: str
    length: timedelta

    @property
    def step(self) -> timedelta:
        """How wide the bars of its timeline are."""
        return step_of(self.length)

    def until(self, now: datetime) -> datetime:
        """Return its end: that of the bar which `now` is in, so that bars begin at whole hours."""
        return at_a_step(now, self.length)


SPANS = {key: Span(key, label, length) for key, (label, length) in LASTS.items()}
DEFAULT_SPAN = "24h"


def span_of(text: str) -> Span:
    """Return the span that a page is asked for; the usual one for anything else."""
    return SPANS.get(text, SPANS[DEFAULT_SPAN])
