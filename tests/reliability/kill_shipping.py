"""Kill a worker that uploads batches, at random moments; one JSON line tells how it went.

Run as a program with an appliance's environment: `python -m tests.reliability.kill_shipping 200
FOLDER`, where FOLDER is what the collector of TSCM_LOG_UPLOAD_URL keeps. It forks, so it must be a
process of its own, without threads.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from logs.models import Batch, Delivery, Spool  # noqa: E402
from logs.reports.ledger import ledgers  # noqa: E402
from logs.reports.places import closed_batch  # noqa: E402
from logs.services import ship_spool  # noqa: E402
from logs.states import BatchState  # noqa: E402
from tests.logs.services.site import Sensor, make_sensor  # noqa: E402

BATCHES, LINES = 2, 400  # a round


def clock() -> datetime:
    return datetime.now(tz=UTC)


def ship(sensor: Sensor) -> None:
    """Upload what waits; nothing is put off because somebody was killed over it."""
    Batch.objects.filter(state=BatchState.WAITING).update(due_at=clock())
    spool = Spool.objects.get(device=sensor.device)
    ship_spool(spool_id=spool.pk, clock=clock, until=clock() + timedelta(seconds=60))


def shipping(sensor: Sensor) -> int:
    """Ship in a forked process; return its id."""
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            ship(sensor)
        except BaseException:  # noqa: BLE001  a forked child must not return into the loop
            os._exit(1)
        os._exit(0)
    return child


def usual_time(sensor: Sensor) -> float:
    """Return how long shipping takes in a process of its own, which begins more slowly."""
    began = time.monotonic()
    _, status = os.waitpid(shipping(sensor), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return time.monotonic() - began


def killed_in_the_midst(sensor: Sensor, *, after: float) -> bool:
    """Ship in a forked process and kill it; tell whether it was still at it."""
    child = shipping(sensor)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def check(sensor: Sensor, folder: Path) -> int:
    """Hold what the collector keeps against the rows and files; return how many batches it has."""
    kept = sorted(folder.glob(f"{sensor.device.device_id}/*.log.gz"))
    for path in kept:
        batch = Batch.objects.get(number=int(path.name.partition(".")[0]))
        text = gzip.decompress(path.read_bytes())
        assert hashlib.sha256(text).hexdigest() == batch.sha256, f"{path} is something else"
        assert text == closed_batch(batch).path.read_bytes()
    numbers = {int(path.name.partition(".")[0]) for path in kept}
    uploaded = Batch.objects.filter(state=BatchState.UPLOADED).values_list("number", flat=True)
    assert set(uploaded) <= numbers, "called uploaded, and the collector has it not"
    assert not Batch.objects.filter(state=BatchState.REFUSED).exists(), "a number was used twice"
    assert all(one.is_balanced for one in ledgers(Spool.objects.all()).values())
    return len(kept)


def main(kills: int, folder: Path) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    sensor = make_sensor(now=clock(), nickname="edge")
    sensor.close_batches(*[LINES] * BATCHES)
    usual, killed, rounds = usual_time(sensor), 0, 0
    while killed < kills:
        rounds += 1
        assert rounds < 5 * kills, f"seed {seed}: only {killed} of {rounds} killed in time"
        if not Batch.objects.filter(state=BatchState.WAITING).exists():
            check(sensor, folder)
            sensor.close_batches(*[LINES] * BATCHES)
        killed += killed_in_the_midst(sensor, after=chance.uniform(0, usual))
    ship(sensor)
    total = Batch.objects.count()
    assert check(sensor, folder) == total, f"seed {seed}: a batch never came"
    again = Delivery.objects.filter(detail__contains="had it already").count()
    print(json.dumps({"killed": killed, "batches": total, "duplicates": again}))  # noqa: T201


if __name__ == "__main__":
    settings.TSCM_UPLOAD_SECONDS = 20.0
    main(int(sys.argv[1]), Path(sys.argv[2]))
