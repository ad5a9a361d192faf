"""Where runs begin, and how they go from a request to the jobs that it sends and on to theirs.

A request and a command begin one each. A job belongs to the run of whoever sent it, which its
message says. What the schedule sends belongs to nobody, and looks for what is due: so each job that
it finds begins a run of its own, or one retrieval could not be told from another.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import Token
from pathlib import Path
from typing import Any

from celery import Task, current_app
from celery.signals import before_task_publish, task_postrun, task_prerun
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from policies.nudging import send_now
from policies.runs import RUN_ID, RUN_KEY, Run, begin, current_run, end, in_run, new_run_id
from policies.timings import Timings
from policies.watchers import is_in
from tscm_site.schedule import SCHEDULE

HEADER = "tscm_run"  # of a job's message
ANSWER_HEADER = "X-Request-Id"
REPORTS = "report"  # what a page of reports took is counted under this name
_REPORT_PATHS = ("/admin/reports/", "/api/v1/hits/")
_SCHEDULED = frozenset(entry["task"] for entry in SCHEDULE.values())
# A new snapshot is enforced in the same run, and at once: else the next round would find it.
_FOLLOWED_BY = {"policies.tasks.compile_policy": "enforcement.tasks.send_due"}
_NOTHING_DONE = frozenset({"busy", "not due"})
_FOLLOWED_WITHIN = 9.0

# Jobs that this process is at: what was before their runs, and when they began.
_under_way: dict[str, tuple[Token[Run | None], float]] = {}


def timings() -> Timings:
    """Return what this machine's processes counted."""
    return Timings(Path(settings.DATA_DIR) / "run" / "timings")


class RunMiddleware:
    """Begins a run for each request, and says its id in the answer.

    The id that a proxy of TSCM_TRUSTED_PROXIES gives is kept, so that its log and ours can be laid
    side by side; of anybody else it is not taken. Stands first, where REMOTE_ADDR is the peer's.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer."""
        run = Run(_given_id(request) or new_run_id())
        request.META[RUN_KEY] = run.id
        began = time.monotonic()
        with in_run(run):
            response = self.get_response(request)
        if request.path_info.startswith(_REPORT_PATHS):
            failed = response.status_code >= 500
            timings().add(REPORTS, seconds=time.monotonic() - began, failed=failed)
        response[ANSWER_HEADER] = run.id
        return response


def _given_id(request: HttpRequest) -> str:
    given = str(request.META.get("HTTP_X_REQUEST_ID", ""))
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if RUN_ID.fullmatch(given) and is_in(peer, settings.TSCM_TRUSTED_PROXIES):
        return given
    return ""


@before_task_publish.connect
def _hand_on(headers: dict[str, Any], **_signal: object) -> None:
    run = current_run()
    if run is not None and run.is_handed_on:
        headers.setdefault(HEADER, run.id)


@task_prerun.connect
def _begin_job(task_id: str, task: Task[..., Any], **_signal: object) -> None:
    given = str(task.request.get(HEADER) or "")
    if RUN_ID.fullmatch(given):
        run = Run(given)
    else:
        run = Run(task_id, is_handed_on=task.name not in _SCHEDULED)
    _under_way[task_id] = (begin(run), time.monotonic())


@task_postrun.connect
def _end_job(
    task_id: str, task: Task[..., Any], retval: object, state: str, **_signal: object
) -> None:
    if task_id not in _under_way:
        return
    token, began = _under_way.pop(task_id)
    has_failed = state != "SUCCESS"
    timings().add(task.name.lower(), seconds=time.monotonic() - began, failed=has_failed)
    follower = _FOLLOWED_BY.get(task.name)
    if follower is not None and not has_failed and retval not in _NOTHING_DONE:
        send_now(current_app.tasks[follower], expires=_FOLLOWED_WITHIN)
    end(token)
