"""The queue is a nudge and a worker may die: the next tick repairs everything."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import dns.message
import psutil
import pytest

from tests.fakes.appliance import Appliance, appliance, wait_until
from tests.fakes.nameserver import Nameserver, Pause, Step

TICK = "from policies.tasks import send_due; send_due.apply_async()"
MAKE = """
from tests.factories import make_policy
make_policy(now=timezone.now(), name={name!r}, block={block!r})
"""
ADD_SLOW = """
from tests.factories import make_policy
from policies.services import find_or_make_source
now = timezone.now()
settings = {{"name": "slow.example", "servers": ["{server}"]}}
source = find_or_make_source(kind="dns", settings=settings, name="slow", now=now)
make_policy(now=now, name="slow").policy_sources.create(source=source, role="block")
"""
STATE = "SELECT state, last_number FROM policies_policy WHERE name = ?"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Appliance]:
    with appliance(tmp_path / "data", TSCM_WORKER_CONCURRENCY="2") as made:
        made.start("broker")
        wait_until((made.data_dir / "run" / "redis.sock").exists, what="the broker")
        yield made


def start_worker(site: Appliance) -> None:
    site.start("worker")
    wait_until(lambda: "ready." in site.log("worker"), what="the worker is ready")


def published(site: Appliance, name: str, number: int) -> bool:
    return site.row(STATE, name) == ("current", number)


@pytest.mark.timeout(180)
def test_what_is_due_is_published_by_a_worker(site: Appliance) -> None:
    start_worker(site)
    site.python(MAKE.format(name="edge", block=["5.6.7.0/24"]))
    site.python(TICK)
    wait_until(lambda: published(site, "edge", 1), what="edge is published")


@pytest.mark.timeout(180)
def test_jobs_lost_with_the_broker_are_sent_again_by_the_next_tick(site: Appliance) -> None:
    site.python(MAKE.format(name="edge", block=["5.6.7.0/24"]))
    site.python(TICK)  # nobody takes it up
    site.processes["broker"].send_signal(signal.SIGKILL)
    site.processes["broker"].wait(timeout=10)
    (site.data_dir / "run" / "redis.sock").unlink(missing_ok=True)
    start = site.start("worker")
    site.start("broker")
    wait_until(lambda: "ready." in site.log("worker"), what="the worker found the new broker")
    assert site.row(STATE, "edge") == ("new", 0)
    site.python(TICK)
    wait_until(lambda: published(site, "edge", 1), what="edge is published")
    assert start.poll() is None


@pytest.mark.timeout(180)
def test_a_broker_killed_under_a_running_worker_is_found_again(site: Appliance) -> None:
    start_worker(site)
    site.processes["broker"].send_signal(signal.SIGKILL)
    site.processes["broker"].wait(timeout=10)
    site.python(MAKE.format(name="edge", block=["5.6.7.0/24"]))
    site.start("broker")
    wait_until((site.data_dir / "run" / "redis.sock").exists, what="the broker")

    def ticked() -> bool:
        site.python(TICK)
        return published(site, "edge", 1)

    wait_until(ticked, seconds=60, what="edge is published")


@pytest.mark.timeout(180)
def test_a_worker_killed_at_work_does_not_lose_the_work(site: Appliance) -> None:
    with Nameserver(silent) as slow:
        site.python(ADD_SLOW.format(server=slow.server))
        start_worker(site)
        site.python(TICK)
        wait_until(lambda: holder(site), what="the slow source is being retrieved")
        victim = holder(site)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: holder(site) not in (0, victim), what="another process took the work up")


@pytest.mark.timeout(180)
def test_a_source_that_hangs_does_not_delay_the_others(site: Appliance) -> None:
    with Nameserver(silent) as slow:
        site.python(ADD_SLOW.format(server=slow.server))
        start_worker(site)
        site.python(TICK)
        wait_until(lambda: holder(site), what="the slow source is being retrieved")
        site.python(MAKE.format(name="edge", block=["5.6.7.0/24"]))
        site.python(TICK)
        wait_until(lambda: published(site, "edge", 1), what="edge is published")
        assert holder(site), "the slow source had ended: this proves nothing"


def silent(_query: dns.message.Message) -> Iterable[Step]:
    return [Pause(300)]


def holder(site: Appliance) -> int:
    """Return the pid that holds the slow source, 0 when nobody does."""
    row = site.row("SELECT claimed_by FROM policies_source WHERE name = 'slow'")
    pid = int(row[0].split("|")[1]) if row and row[0] else 0
    return pid if pid and psutil.pid_exists(pid) else 0
