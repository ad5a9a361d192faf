"""An appliance under watch: every worker tells the same; one id goes from request to publish."""

from __future__ import annotations

import http.client
import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.fakes.appliance import Appliance, appliance, wait_until
from tests.runtime.running import free_port

pytestmark = pytest.mark.timeout(180)
RUN = "from-the-proxy-0001"
MAKE = """
import json
from django.contrib.auth.models import User
from accounts.services import create_token
from tests.factories import make_policy
now = timezone.now()
alice = User.objects.create_superuser("alice", password="correct-horse-battery")
text = create_token(user=alice, name="watch", days=1, actor="test", now=now).text
policy = make_policy(now=now, name="edge", block=["5.6.7.0/24"])
print(json.dumps([text, policy.pk]))
"""
# Others write on the same disk.
_MOVING = {"tscm_data_disk_free_bytes", "tscm_log_disk_free_bytes"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    folder = tmp_path_factory.mktemp("live") / "data"
    binds = {f"TSCM_{name}_BIND": f"127.0.0.1:{free_port()}" for name in ("CONSOLE", "FEED")}
    given = {
        **binds, "TSCM_LOG_FORMAT": "json", "TSCM_TRUSTED_PROXIES": "127.0.0.1",
        "TSCM_WORKER_CONCURRENCY": "1", "TSCM_LOG_UPLOAD_URL": "http://127.0.0.1:1/",
    }  # fmt: skip
    with appliance(folder, **given) as made:
        made.start("broker")
        serve(made, "CONSOLE", "web")
        serve(made, "FEED", "feeds")
        yield made


@pytest.fixture(scope="module")
def worker(site: Appliance) -> None:
    site.start("worker")
    wait_until(lambda: "ready." in site.log("worker"), what="the worker is ready")


def serve(site: Appliance, server: str, name: str) -> None:
    """Start a server on a free port; on another one where somebody else was quicker to take it."""
    for _ in range(3):
        bind = f"127.0.0.1:{free_port()}"
        site.environment[f"TSCM_{server}_BIND"] = bind
        process = site.start(name)
        listens = f"Listening at: http://{bind} "
        wait_until(lambda: listens in site.log(name) or process.poll() is not None, what=name)  # noqa: B023
        if listens in site.log(name):
            wait_until(lambda: ask(site, server, "/healthz")[0] == 200, what=f"{name} answers")
            return
    raise AssertionError(f"{name} found no port to listen on")


def ask(
    site: Appliance, server: str, path: str, *, method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    host, _, port = site.environment[f"TSCM_{server}_BIND"].partition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=20)) as connection:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, path, headers=named)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def lines(site: Appliance, name: str) -> list[dict[str, Any]]:
    """Return the lines that a process wrote; all of them must be JSON."""
    return [json.loads(line) for line in site.log(name).splitlines() if line.strip()]


@contextmanager
def alone(worker: psutil.Process, others: list[psutil.Process]) -> Iterator[None]:
    """Have one worker answer alone: the others stand still."""
    for other in others:
        if other != worker:
            other.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for other in others:
            other.send_signal(signal.SIGCONT)


@contextmanager
def at_rest(site: Appliance, name: str) -> Iterator[None]:
    """Have the processes of this name, where another test started them, stand still."""
    started = site.processes.get(name)
    one = psutil.Process(started.pid) if started and started.poll() is None else None
    every = [one, *one.children(recursive=True)] if one else []
    for process in every:
        process.suspend()
    try:
        yield
    finally:
        for process in every:
            process.resume()


def test_every_worker_gives_the_same_answer(site: Appliance) -> None:
    site.python("from tests.factories import make_policy, publish, make_device\n"
                "now = timezone.now(); policy = make_policy(now=now); publish(policy, now=now)\n"
                "for n in range(5): make_device(policy=policy, now=now)")  # fmt: skip
    workers = psutil.Process(site.processes["web"].pid).children()
    assert len(workers) == 2
    told = []
    with at_rest(site, "worker"):
        for worker in workers * 2:
            with alone(worker, workers):
                told.append(_told(site))
    assert len(told[0]["tscm_device_protected"]) == 5
    for one in told[1:]:
        assert one == told[0]


def _told(site: Appliance) -> dict[str, list[Any]]:
    status, _, text = ask(site, "CONSOLE", "/metrics")
    assert status == 200
    return {
        family.name: sorted(
            (sample.name, sorted(sample.labels.items()), sample.value) for sample in family.samples
        )
        for family in read_text(text.decode())
        if family.name not in _MOVING
    }


@pytest.mark.usefixtures("worker")
def test_one_id_goes_from_a_request_to_what_is_published(site: Appliance) -> None:
    token, policy = site.python(MAKE)
    status, headers, _ = ask(
        site, "CONSOLE", f"/api/v1/policies/{policy}/update/?secret=hush-hush-hush", method="POST",
        Authorization=f"Bearer {token}", X_Request_Id=RUN, X_Forwarded_For="192.0.2.7",
    )  # fmt: skip
    assert (status, headers["X-Request-Id"]) == (202, RUN)
    wait_until(lambda: _published(site), seconds=60, what="edge is published")
    wait_until(lambda: _compiled(site), what="the end of the compile is logged")
    told = [line for line in lines(site, "worker") if line.get("run") == RUN]
    said = [line["message"].split()[0] for line in told if line["logger"].startswith("policies")]
    assert {"retrieve", "publish", "compile"} <= set(said)
    # The enforcers are nudged at once, in the same run.
    assert "enforcement.tasks.send_due" in site.log("worker")
    [access] = [line for line in lines(site, "web") if line.get("run") == RUN]
    assert (access["method"], access["status"], access["client"]) == ("POST", 202, "192.0.2.7")
    assert "hush-hush-hush" not in site.log("web")
    assert token not in site.log("web") + site.log("worker")
    _, _, text = ask(site, "CONSOLE", "/metrics")
    families = {family.name: family for family in read_text(text.decode())}
    counted = {
        sample.labels["work"]: sample.value
        for sample in families["tscm_work_seconds"].samples
        if sample.name == "tscm_work_seconds_count"
    }
    assert counted["retrieve"] >= 1
    assert counted["compile"] >= 1


def _published(site: Appliance) -> bool:
    found = site.row("SELECT state FROM policies_policy WHERE name = 'edge'")
    return found == ("current",)


def _compiled(site: Appliance) -> bool:
    """Tell whether the compile is over, and what follows it was sent and taken up."""
    log = site.log("worker")
    return "enforcement.tasks.send_due" in log.partition("compile policy=edge ")[2]


@pytest.mark.usefixtures("worker")
def test_what_the_schedule_finds_are_runs_of_their_own(site: Appliance) -> None:
    names = [f"s{n}" for n in range(3)]
    site.python(
        "from tests.factories import make_policy\nfrom policies.tasks import send_due\n"
        f"for name in {names}: make_policy(now=timezone.now(), name=name)\nsend_due.apply_async()"
    )
    done = "SELECT count(*) FROM policies_policy WHERE state = 'current' AND name LIKE 's_'"
    wait_until(lambda: site.row(done) == (3,), seconds=60, what="all are published")
    runs = [
        {
            line["run"]
            for line in lines(site, "worker")
            if line["message"].startswith("publish ") and f"policy={name} " in line["message"]
        }
        for name in names
    ]
    assert all(len(one) == 1 for one in runs)
    assert len(set.union(*runs)) == 3


def test_the_feed_server_says_how_it_does_and_to_strangers_no_more(site: Appliance) -> None:
    status, _, body = ask(site, "FEED", "/readyz")
    assert status == 200
    assert set(json.loads(body)["checks"]) == {"database", "feeds"}
    status, _, body = ask(site, "FEED", "/readyz", X_Forwarded_For="192.0.2.7")
    assert json.loads(body) == {"state": "ready"}
    assert ask(site, "FEED", "/metrics")[0] == 404


def test_a_database_that_is_not_migrated_makes_the_console_not_ready(site: Appliance) -> None:
    last = "FROM django_migrations WHERE app = 'devices' AND name LIKE '0004%'"
    with closing(sqlite3.connect(site.data_dir / "tscm.sqlite3", timeout=20)) as database:
        [row] = database.execute(f"SELECT app, name, applied {last}").fetchall()
        database.execute(f"DELETE {last}")
        database.commit()
        try:
            # Each worker remembers for two seconds what it told.
            said: dict[str, Any] = {}

            def noticed() -> bool:
                status, _, body = ask(site, "CONSOLE", "/readyz")
                said.update(json.loads(body))
                return status == 503

            wait_until(noticed, what="it is noticed")
            checks: dict[str, Any] = said["checks"]
            assert checks["migrations"]["state"] == "not-ready"
            assert "devices.0004" in checks["migrations"]["detail"]
            assert ask(site, "CONSOLE", "/healthz")[0] == 200
        finally:
            database.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES (?,?,?)", row
            )
            database.commit()
            # Other tests ask the same workers.
            workers = psutil.Process(site.processes["web"].pid).children()
            for worker in workers:
                with alone(worker, workers):
                    wait_until(lambda: ask(site, "CONSOLE", "/readyz")[0] == 200, what="ready")


def test_a_queue_that_is_away_is_trouble_and_no_reason_to_be_of_no_use(tmp_path: Path) -> None:
    with appliance(tmp_path / "data") as site:
        serve(site, "CONSOLE", "web")
        status, _, body = ask(site, "CONSOLE", "/readyz")
        told = json.loads(body)
        assert (status, told["state"]) == (200, "degraded")
        states = {name: check["state"] for name, check in told["checks"].items()}
        assert states["broker"] == states["beat"] == states["workers"] == "degraded"
        assert states["database"] == states["data"] == states["migrations"] == "ready"
