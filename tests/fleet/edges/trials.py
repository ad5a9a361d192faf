"""A rollout from one group to another, and devices that take it over."""

from __future__ import annotations

from datetime import datetime, timedelta

from fleet.models import Entry
from fleet.reports.effective import effective_of, inherited_by
from fleet.services.rollouts import Intended, add_rollout, start_rollout, step_rollouts
from tests.fleet.edges.rows import make_entry, make_group, report, written

MINUTE = timedelta(minutes=1)


def value(entry: Entry, name: str = "verdict") -> object:
    fresh = Entry.objects.get(pk=entry.pk)
    return effective_of(fresh, inherited_by(fresh)).values[name]


class Fleet:
    """A first group with two devices, another with one, and a rollout from one to the other."""

    def __init__(self, now: datetime) -> None:
        self.first, self.others = make_group("first", now=now), make_group("others", now=now)
        self.canaries = [make_entry(now=now, group=self.first) for _ in range(2)]
        self.rest = make_entry(now=now, group=self.others)
        self.rollout = add_rollout(intended=self.intended(), actor="alice", now=now)

    def intended(self, **told: object) -> Intended:
        values = {
            "name": "reject", "canary": self.first, "onward": (self.others,), "minutes": 60,
            "settings": {"verdict": "reject"}, **told,
        }  # fmt: skip
        return Intended(**values)  # type: ignore[arg-type]

    def start(self, *, now: datetime) -> None:
        start_rollout(rollout=self.rollout, actor="alice", now=now)

    def take_over(self, *, now: datetime, **told: object) -> None:
        """Have the settings been written, and the devices told that they are in force."""
        for entry in self.canaries:
            written(entry, now=now)
            report(entry, now=now, **told)

    def stay(self, *, since: datetime, minutes: int) -> datetime:
        """Look every minute, with all devices healthy; return the last moment."""
        for number in range(minutes + 1):
            moment = since + number * MINUTE
            for entry in self.canaries:
                report(entry, now=moment)
            step_rollouts(now=moment)
        return moment

    @property
    def state(self) -> str:
        self.rollout.refresh_from_db()
        return self.rollout.state
