"""Kill work at random moments and look at what it left; one JSON line tells how it went.

Run as a program with an appliance's environment: `python -m tests.reliability.kill_at_random
refresh 200`, or `approve`, or `go-back`. It forks, so it must be a process of its own, without
threads.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import django

django.setup()

from django.db import connection  # noqa: E402

from policies.models import Candidate, Policy, Snapshot, Source  # noqa: E402
from policies.services import (  # noqa: E402
    approve_candidate,
    compile_policy_now,
    create_source,
    refresh_policy,
    release_policy,
    return_to_snapshot,
)
from policies.states import PolicyState  # noqa: E402
from policies.store import feed_path, get_blob  # noqa: E402
from tests.factories import make_policy  # noqa: E402
from tests.fakes.bind import Bind, write_zone  # noqa: E402
from tests.fakes.tsig import TsigKey  # noqa: E402

KEY = TsigKey()
FILES = ("list_digest", "entries_digest", "ledger_digest", "payload_digest")


def clock() -> datetime:
    return datetime.now(tz=UTC)


def entries(number: int, count: int = 1000) -> list[str]:
    """A list of some thousand prefixes that differs a little each time."""
    return [f"{20 + i % 60}.{i // 60}.{number % 250}.{i % 200}" for i in range(count)]


class Work(ABC):
    """Something a process does to a policy that may be killed at any point of it."""

    policy: Policy

    @abstractmethod
    def prepare(self, number: int) -> None:
        """Make ready for one round; what is published then is the old snapshot."""

    @abstractmethod
    def do(self) -> None:
        """Do the work."""

    @abstractmethod
    def finish(self) -> None:
        """Do what follows by itself, or what a person does who sees that nothing came of it."""

    def say(self, number: int, count: int = 1000) -> None:
        memory = Source.objects.filter(policies=self.policy, kind="memory")
        memory.update(settings={"entries": entries(number, count)}, shrink_limit=100)

    def tick(self, *, accept_change: bool = False) -> None:
        refresh_policy(policy=self.policy, clock=clock, accept_change=accept_change)


class Refresh(Work):
    """A refresh of a fixed list, and of a zone that is taken by what changed in it."""

    def __init__(self, bind: Bind) -> None:
        self.bind = bind
        self.policy = make_policy(now=clock(), block=entries(0))
        at = {"name": "list.example", "servers": [bind.server], **KEY.settings}
        zone = create_source(name="zone", kind="zone", settings=at, actor="test", now=clock())
        self.policy.policy_sources.create(source=zone, role="block")
        self.tick()

    def prepare(self, number: int) -> None:
        self.bind.change("list.example", KEY, add=[f"n A 81.{number // 250}.{number % 250}.1"])
        self.say(number)

    def do(self) -> None:
        self.tick()

    def finish(self) -> None:
        self.tick()
        zone = Source.objects.get(kind="zone")
        assert zone.version, "the zone cannot be asked for by what changed"


class Approve(Work):
    """A person approves what the guard held back."""

    def __init__(self) -> None:
        self.policy = make_policy(now=clock(), block=entries(0, 20))
        self.tick()

    def prepare(self, number: int) -> None:
        self.say(number, 20)
        self.tick(accept_change=True)
        wide = [f"90.{number % 200}.0.0/16", f"91.{number % 200}.0.0/16"]
        memory = Source.objects.filter(policies=self.policy)
        memory.update(settings={"entries": [*entries(number), *wide]})  # grown beyond its limit
        self.tick()
        assert Policy.objects.get(pk=self.policy.pk).state == PolicyState.HELD

    def do(self) -> None:
        held = Candidate.objects.get(policy=self.policy)
        approve_candidate(policy=self.policy, digest=held.block_digest, actor="test", now=clock())

    def finish(self) -> None:
        compile_policy_now(policy_id=self.policy.pk, now=clock())
        if Candidate.objects.filter(policy=self.policy).exists():
            self.do()
        assert Policy.objects.get(pk=self.policy.pk).state == PolicyState.CURRENT
        assert not Candidate.objects.filter(policy=self.policy).exists()


class GoBack(Work):
    """A person goes back to an earlier snapshot, of which much is different."""

    def __init__(self) -> None:
        self.policy = make_policy(now=clock(), block=entries(0, 20))
        self.tick()
        self.first = Snapshot.objects.get(policy=self.policy)

    def prepare(self, number: int) -> None:
        policy = Policy.objects.get(pk=self.policy.pk)
        if policy.pinned_at is not None:
            release_policy(policy=policy, actor="test", now=clock())
        self.say(number)
        self.tick(accept_change=True)

    def do(self) -> None:
        snapshot = Snapshot.objects.select_related("policy").get(pk=self.first.pk)
        return_to_snapshot(snapshot=snapshot, actor="test", now=clock())

    def finish(self) -> None:
        if Policy.objects.get(pk=self.policy.pk).pinned is None:
            self.do()
        compile_policy_now(policy_id=self.policy.pk, now=clock())
        policy = Policy.objects.select_related("current").get(pk=self.policy.pk)
        assert policy.state == PolicyState.PINNED
        assert policy.current is not None
        assert policy.current.block_digest == self.first.block_digest


def check_whole(policy: Policy) -> str:
    """Return the digest of the block feed in force; every file that a row names proven whole."""
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
    names = {current.block_digest, current.allow_digest, current.before_digest}
    for files in Source.objects.filter(policies=policy).values_list(*FILES):
        names |= set(files)
    for held in Candidate.objects.filter(policy=policy):
        names |= {held.block_digest, held.allow_digest, held.before_digest}
    for name in names - {""}:
        assert hashlib.sha256(get_blob(name)).hexdigest() == name
    return current.feeds.get(list="block").digest


def do_in_a_child(work: Work, *, kill_after: float | None) -> float | None:
    """Do the work in a forked process; return how long it took, None when it was killed before."""
    connection.close()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            work.do()
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


@contextmanager
def chosen(kind: str) -> Iterator[Work]:
    """Give the work of this kind, with the neighbours that it needs."""
    if kind == "approve":
        yield Approve()
    elif kind == "go-back":
        yield GoBack()
    else:
        with tempfile.TemporaryDirectory(prefix="kill-") as folder:
            records = [f"a{n} A 80.1.{n // 200}.{n % 200}" for n in range(1000)]
            zone = write_zone(Path(folder) / "zone", records)
            with Bind({"list.example": zone}, keys=[KEY]) as bind:
                yield Refresh(bind)


def main(kind: str, kills: int) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    with chosen(kind) as work:
        work.prepare(1)
        usual = do_in_a_child(work, kill_after=None)
        assert usual is not None
        work.finish()
        number, killed, kept_old = 1, 0, 0
        while killed < kills:
            number += 1
            assert number < 5 * kills, f"seed {seed}: only {killed} of {number} killed in time"
            work.prepare(number)
            old = check_whole(work.policy)
            # Every other one near the end, where the flip is: it takes a small part of the time.
            begin, end = chance.choice([(0.0, 1.0), (0.8, 1.1)])
            took = do_in_a_child(work, kill_after=usual * chance.uniform(begin, end))
            left = check_whole(work.policy)
            if took is None:
                killed += 1
                kept_old += left == old
            else:  # too late: the machine has become quicker than it was
                usual = (usual + took) / 2
            # What follows finishes what the killed one began, and its claim keeps nobody waiting.
            work.finish()
            new = check_whole(work.policy)
            assert left in {old, new}, f"round {number}, seed {seed}: neither the old nor the new"
            assert new != old, f"round {number}, seed {seed}: what follows did not finish"
    snapshots = Snapshot.objects.filter(policy=work.policy).order_by("number")
    numbers = list(snapshots.values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    print(json.dumps({"killed": killed, "kept_old": kept_old}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
