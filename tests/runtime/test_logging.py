"""Lines of logs: one format, one id a run, and never a secret."""

from __future__ import annotations

import ipaddress
import json
import logging
import multiprocessing
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from hypothesis import given, strategies as st

from policies.runs import Run, current_run, in_run, new_run_id
from policies.timings import BOUNDS, Timings
from tscm_site.celery import app
from tscm_site.env import read_environment
from tscm_site.env_values import EnvironmentRefused
from tscm_site.logging import JsonFormatter, LineFormatter, hide_secrets, known_secrets
from tscm_site.runs import HEADER, RunMiddleware
from tscm_site.serving import GunicornLogger

SECRET = "correct-horse-battery-staple"


def record(message: str, *values: object, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("policies.x", logging.WARNING, __file__, 1, message, values, None)
    vars(made).update(more)
    return made


@pytest.fixture
def data(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_a_line_bears_the_run_it_belongs_to() -> None:
    formatter = LineFormatter()
    with in_run(Run("0123456789abcdef")):
        assert " WARNING policies.x [01234567] retrieve a" in formatter.format(record("retrieve a"))
    assert " WARNING policies.x retrieve a" in formatter.format(record("retrieve a"))


def test_an_object_has_its_run_and_its_error_and_is_one_line() -> None:
    try:
        int(SECRET)
    except ValueError:
        error = sys.exc_info()
    with in_run(Run("0123456789abcdef")):
        line = JsonFormatter(secrets=[SECRET]).format(record("two\nlines %s", 7, exc_info=error))
    told = json.loads(line)
    assert "\n" not in line
    assert (told["level"], told["logger"], told["message"]) == (
        "warning",
        "policies.x",
        "two\nlines 7",
    )
    assert told["run"] == "0123456789abcdef"
    assert "ValueError: invalid literal" in told["error"]
    assert SECRET not in line
    assert told["time"].endswith("Z")


@given(before=st.text(), after=st.text())
def test_a_known_secret_is_in_no_line_whatever_is_around_it(before: str, after: str) -> None:
    for formatter in (LineFormatter(secrets=[SECRET]), JsonFormatter(secrets=[SECRET])):
        assert SECRET not in formatter.format(record("%s", f"{before}{SECRET}{after}"))


@pytest.mark.parametrize(
    "text",
    [
        "GET https://alice:hunter22@lists.example.net/a.txt",
        "redis://:hunter22@broker:6379/0 is away",
        "Authorization: Bearer hunter22hunter22",
        "authorization: basic aHVudGVyMjI6aHVudGVyMjI= hunter22" [:-9],
        "{'upload_proxy_password': 'hunter22', 'host': 'a'}",
        '{"client_secret":"hunter22"}',
        "POST failed: password=hunter22&user=alice",
        "api-key = hunter22",
        "the token is tscm_hunter22hunter22hunter22hunter22hunter22",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    hidden = hide_secrets(text, ())
    assert "hunter22" not in hidden
    assert "[hidden]" in hidden


@pytest.mark.parametrize(
    "text",
    [
        "retrieve source=edge outcome=changed entries=12 prefixes=9 in 1.8s",
        "the tokens of alice are listed",
        "http://192.0.2.7:8001/tdid_1/threatstop-block.txt",
    ],
)
def test_other_lines_stay_as_they_are(text: str) -> None:
    assert hide_secrets(text, ()) == text


def test_a_secret_of_the_environment_is_known(tmp_path: Path) -> None:
    given = {
        "TSCM_DATA_DIR": str(tmp_path), "TSCM_METRICS_TOKEN": SECRET,
        "TSCM_DATABASE_URL": "postgresql://tscm:p%40ssword@db/tscm",
        "TSCM_BROKER_URL": "redis://:anotherone@broker/0",
    }  # fmt: skip
    environment = read_environment(given, checkout=tmp_path)
    known = known_secrets(environment)
    assert {SECRET, "p%40ssword", "p@ssword", "anotherone", environment.secret_key} <= set(known)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TSCM_METRICS_TOKEN", "short"),
        ("TSCM_METRICS_TOKEN", "sixteen signs or more"),
        ("TSCM_METRICS_FROM", "somewhere"),
        ("TSCM_METRICS_FROM", "192.0.2.1/24"),
        ("TSCM_LOG_FORMAT", "xml"),
    ],
)
def test_what_is_no_sound_value_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(EnvironmentRefused, match=name) as refused:
        read_environment({"TSCM_DATA_DIR": str(tmp_path), name: value}, checkout=tmp_path)
    assert name != "TSCM_METRICS_TOKEN" or value not in str(refused.value)


def test_nobody_may_be_let_in_by_address(tmp_path: Path) -> None:
    given = {"TSCM_DATA_DIR": str(tmp_path), "TSCM_METRICS_FROM": "none"}
    assert read_environment(given, checkout=tmp_path).monitoring.metrics_from == ()


def answer_to(request: HttpRequest, seen: list[Run | None]) -> HttpResponse:
    def site(_request: HttpRequest) -> HttpResponse:
        seen.append(current_run())
        return HttpResponse()

    return RunMiddleware(site)(request)


@pytest.mark.usefixtures("data")
def test_a_request_has_an_id_which_its_answer_tells() -> None:
    seen: list[Run | None] = []
    answers = [answer_to(RequestFactory().get("/"), seen)["X-Request-Id"] for _ in range(2)]
    assert [run.id for run in seen if run] == answers
    assert len(set(answers)) == 2
    assert current_run() is None


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("given", "peer", "is_taken"),
    [
        ("abc-12345", "192.0.2.1", True),
        ("abc-12345", "198.51.100.1", False),  # no proxy of ours
        ("short", "192.0.2.1", False),
        ("abc-12345\nWARNING", "192.0.2.1", False),
        ("a" * 65, "192.0.2.1", False),
    ],
)
def test_an_id_is_taken_from_a_proxy_of_the_site_if_it_is_sound(
    settings: Any, given: str, peer: str, is_taken: bool
) -> None:
    settings.TSCM_TRUSTED_PROXIES = (ipaddress.ip_network("192.0.2.1"),)
    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_REQUEST_ID=given)
    assert (answer_to(request, [])["X-Request-Id"] == given) is is_taken


@pytest.mark.django_db
def test_the_answers_of_the_site_tell_their_id(client: Client) -> None:
    assert client.get("/admin/login/")["X-Request-Id"]
    assert client.get("/nothing-here/")["X-Request-Id"]


@pytest.mark.parametrize(
    ("run", "handed"),
    [(None, None), (Run("a-run-of-ours"), "a-run-of-ours"), (Run("x", is_handed_on=False), None)],
)
def test_a_job_carries_the_id_of_who_sent_it(run: Run | None, handed: str | None) -> None:
    from celery.signals import before_task_publish

    headers: dict[str, Any] = {}
    if run is None:
        before_task_publish.send(sender="t", headers=headers)
    else:
        with in_run(run):
            before_task_publish.send(sender="t", headers=headers)
    assert headers.get(HEADER) == handed


def test_every_job_that_is_followed_is_a_task_of_ours() -> None:
    from tscm_site.metrics.of_work import _TASKS
    from tscm_site.runs import _FOLLOWED_BY, REPORTS

    app.autodiscover_tasks(force=True)
    assert {*_FOLLOWED_BY, *_FOLLOWED_BY.values()} <= set(app.tasks)
    assert set(_TASKS) - {REPORTS} <= set(app.tasks)


@pytest.fixture
def gunicorn_log(caplog: pytest.LogCaptureFixture) -> Iterator[GunicornLogger]:
    from gunicorn.config import Config

    config = Config()
    config.set("accesslog", "-")
    made = GunicornLogger(config)
    made.access_log.addHandler(caplog.handler)
    yield made
    for log in (made.access_log, made.error_log):
        for handler in list(log.handlers):
            log.removeHandler(handler)


def requested(log: GunicornLogger, path: str, status: str) -> None:
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "code=hush-hush",
        "REMOTE_ADDR": "192.0.2.7", "tscm.run": "a-run-of-ours",
    }  # fmt: skip
    log.access(SimpleNamespace(status=status, sent=12), None, environ, timedelta(seconds=1.5))


def test_a_request_is_a_line_without_what_stands_behind_the_question_mark(
    gunicorn_log: GunicornLogger, caplog: pytest.LogCaptureFixture
) -> None:
    requested(gunicorn_log, "/admin/\nwhy/", "200 OK")
    [line] = [one.getMessage() for one in caplog.records]
    assert line == "GET /admin/\\nwhy/ 200 12B 1.500s 192.0.2.7"


def test_probes_are_a_line_only_when_something_is_wrong(
    gunicorn_log: GunicornLogger, caplog: pytest.LogCaptureFixture
) -> None:
    requested(gunicorn_log, "/metrics", "200 OK")
    assert not caplog.records
    requested(gunicorn_log, "/readyz", "503 Service Unavailable")
    assert len(caplog.records) == 1


def test_what_took_how_long_is_counted_in_its_bucket(tmp_path: Path) -> None:
    counted = Timings(tmp_path / "timings")
    assert counted.read() == {}
    for seconds in (0.0, BOUNDS[0], BOUNDS[0] + 0.001, BOUNDS[-1] + 1):
        counted.add("report", seconds=seconds, failed=seconds > 1)
    found = counted.read()["report"]
    assert (found.counts[0], found.counts[1], found.counts[-1]) == (2, 1, 1)
    assert (found.total, found.failures) == (4, 1)
    assert found.seconds == pytest.approx(BOUNDS[0] * 2 + 0.001 + BOUNDS[-1] + 1)


def _add(folder: Path, times: int) -> None:
    for _ in range(times):
        Timings(folder).add("report", seconds=0.2)


def test_processes_that_count_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    adding = [context.Process(target=_add, args=(tmp_path, 300)) for _ in range(3)]
    for one in adding:
        one.start()
    for one in adding:
        one.join(50)
    assert Timings(tmp_path).read()["report"].total == 900


def test_a_damaged_count_begins_anew_and_a_folder_that_takes_nothing_fails_nobody(
    tmp_path: Path,
) -> None:
    (tmp_path / "report").write_bytes(b"half")
    counted = Timings(tmp_path)
    assert counted.read()["report"].total == 0
    counted.add("report", seconds=1)
    assert counted.read()["report"].total == 1
    Timings(Path("/proc/nonexistent")).add("report", seconds=1)


@pytest.mark.parametrize("name", ["", "../report", "Report", "a" * 101])
def test_what_is_no_name_counts_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name to count under"):
        Timings(tmp_path).add(name, seconds=1)


def test_ids_are_never_the_same() -> None:
    assert new_run_id() != new_run_id()
