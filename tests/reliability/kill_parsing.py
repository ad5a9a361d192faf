"""Kill a worker that parses batches and puts events together; one JSON line tells how it went.

Run as a program with an appliance's environment: `python -m tests.reliability.kill_parsing 100`. It
forks, so it must be a process of its own, without threads.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import django

django.setup()

from django.db import connection  # noqa: E402

from logs.events.filters import Filter  # noqa: E402
from logs.models import Batch, EventFile, HitHour  # noqa: E402
from logs.parsers.one import VERSION  # noqa: E402
from logs.reports.hits import totals  # noqa: E402
from logs.services.parse import parse_due  # noqa: E402
from logs.services.tidy_events import tidy_events  # noqa: E402
from tests.logs.batches import log_text  # noqa: E402
from tests.logs.services.site import Sensor, make_sensor, tell  # noqa: E402

BATCHES, LINES = 3, 300  # a round
_FAR = timedelta(days=3)  # ahead: every day is over, and its files become one


def clock() -> datetime:
    return datetime.now(tz=UTC)


def receive(sensor: Sensor) -> None:
    """Close some batches, every line of which is an event; their stamps are of another year."""
    for seed in range(BATCHES):
        sensor.receive_text(log_text(LINES, seed=seed), LINES)
        sensor.rotate()
    tell(clock(), sensor.entry())


def work() -> None:
    """Parse what is due, then have all days be over and put their events together."""
    Batch.objects.filter(parse_due_at__isnull=False).update(parse_due_at=None)
    parse_due(clock=clock, until=clock() + timedelta(seconds=60))
    tidy_events(clock=lambda: clock() + _FAR, until=clock() + 2 * _FAR)


def killed_in_the_midst(*, after: float) -> bool:
    """Work in a forked process and kill it; tell whether it was still at it."""
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001  a forked child must not return into the loop
            os._exit(1)
        os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def check() -> None:
    """Hold rows, sums and files against each other: each event is in all of them, once."""
    parsed = Batch.objects.filter(parsed_version=VERSION)
    events = sum(parsed.values_list("events", flat=True))
    assert events == LINES * parsed.count(), "a batch is parsed in part"
    now = clock()
    found = totals(Filter(now - timedelta(days=30), now + timedelta(days=30)))
    assert found.inbound + found.outbound == events, "files hold other events than rows say"
    assert sum(HitHour.objects.values_list("connections", flat=True)) == events
    assert sum(row.counted for row in EventFile.objects.live()) == events


def main(kills: int) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    sensor = make_sensor(now=clock(), nickname="edge")
    receive(sensor)
    began = time.monotonic()
    work()
    usual, killed, rounds = time.monotonic() - began, 0, 0
    while killed < kills:
        rounds += 1
        assert rounds < 5 * kills, f"seed {seed}: only {killed} of {rounds} killed in time"
        check()
        if not Batch.objects.filter(parsed_version=0).exists():
            receive(sensor)
        killed += killed_in_the_midst(after=chance.uniform(0, usual))
    work()
    check()
    assert not Batch.objects.filter(parsed_version=0).exists(), f"seed {seed}: one stays unparsed"
    files = EventFile.objects.live().count()
    print(json.dumps({"killed": killed, "batches": Batch.objects.count(), "files": files}))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))
