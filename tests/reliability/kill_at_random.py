"""Kill a refresh at random moments and look at what it left; one JSON line tells how it went.

Run as a program with an appliance's environment: `python -m tests.reliability.kill_at_random 200`.
It forks, so it must be a process of its own, without threads.
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
from datetime import UTC, datetime

import django

django.setup()

from django.db import connection  # noqa: E402

from policies.models import Policy, Snapshot, Source  # noqa: E402
from policies.services import refresh_policy  # noqa: E402
from policies.store import feed_path  # noqa: E402
from tests.factories import make_policy  # noqa: E402


def clock() -> datetime:
    return datetime.now(tz=UTC)


def entries(number: int) -> list[str]:
    """A list of some thousand prefixes that differs a little each time."""
    return [f"{20 + i % 60}.{i // 60}.{number % 250}.{i % 200}" for i in range(3000)]


def check_whole(policy: Policy) -> str:
    """Return the digest of the block feed in force, every file of the snapshot proven whole."""
    current = Policy.objects.select_related("current").get(pk=policy.pk).current
    assert current is not None
    for feed in current.feeds.all():
        body = feed_path(feed.digest, ".txt").read_bytes()
        assert hashlib.sha256(body).hexdigest() == feed.digest
        assert gzip.decompress(feed_path(feed.digest, ".txt.gz").read_bytes()) == body
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        assert feed_path(feed.digest, ".txt.md5").read_text() == f"{md5}\n"
        assert (feed.md5, feed.size) == (md5, len(body))
    assert current.feeds.count() == 2
    return current.feeds.get(list="block").digest


def refresh_in_a_child(policy: Policy, *, kill_after: float | None) -> float | None:
    """Refresh in a forked process; return how long it took, None when it was killed before."""
    connection.close()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            refresh_policy(policy=policy, clock=clock)
        except BaseException:  # noqa: BLE001  a forked child must not return into the loop
            os._exit(1)
        os._exit(0)
    if kill_after is not None:
        ends = began + kill_after
        while time.monotonic() < ends:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                assert os.waitstatus_to_exitcode(status) == 0
                return time.monotonic() - began
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    assert os.waitstatus_to_exitcode(status) == 0
    return time.monotonic() - began


def main(kills: int) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    policy = make_policy(now=clock(), block=entries(0))
    source = policy.sources.get()
    refresh_policy(policy=policy, clock=clock)
    Source.objects.filter(pk=source.pk).update(settings={"entries": entries(1)})
    usual = refresh_in_a_child(policy, kill_after=None)
    assert usual is not None
    old, number, killed, kept_old = check_whole(policy), 1, 0, 0
    while killed < kills:
        number += 1
        assert number < 5 * kills, f"seed {seed}: only {killed} of {number} were killed in time"
        Source.objects.filter(pk=source.pk).update(settings={"entries": entries(number)})
        # Every other one near the end, where the flip is: it takes a small part of the time.
        begin, end = chance.choice([(0.0, 1.0), (0.8, 1.1)])
        took = refresh_in_a_child(policy, kill_after=usual * chance.uniform(begin, end))
        left = check_whole(policy)
        if took is None:
            killed += 1
            kept_old += left == old
        else:  # too late: the machine has become quicker than it was
            usual = (usual + took) / 2
        # The next tick finishes what the killed one began, and is not kept waiting by its claim.
        refresh_policy(policy=policy, clock=clock)
        new = check_whole(policy)
        assert left in {old, new}, f"round {number}, seed {seed}: neither the old nor the new"
        assert new != old, f"round {number}, seed {seed}: the next tick did not finish"
        old = new
    numbers = list(Snapshot.objects.order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    print(json.dumps({"killed": killed, "kept_old": kept_old}))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]))
