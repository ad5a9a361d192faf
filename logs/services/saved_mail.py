"""Mail the saved reports that are due: one worker a report, one mail a moment."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from logs.models.saved import SavedReport
from logs.reports.asked import AskedRefused
from logs.reports.hits import ReportRefused
from logs.reports.report import Part, Report, report_of, words_of
from logs.reports.tables import SUMMARY_HEADINGS, csv_lines, summary_rows
from logs.services.mail import Attachment, Mail, MailFailed, send_mail
from logs.services.saved import asked_of, schedule_of
from logs.services.saved_times import Schedule, next_moment
from logs.shippers.retry import next_attempt

MAY_SEE = "logs.view_hits"
ROWS_ATTACHED = 1000  # of each summary
LEASE = timedelta(minutes=10)  # to answer and to send
CAUGHT_UP = timedelta(days=7)  # what was due before is not mailed any more
_random = random.SystemRandom()

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


def due_reports(*, now: datetime, most: int) -> list[int]:
    """Return the saved reports to be mailed now that no worker is at, the longest due first."""
    rows = SavedReport.objects.due(now=now)
    return list(rows.unclaimed(now=now, lease=LEASE).values_list("pk", flat=True)[:most])


def mail_report(*, saved_id: int, clock: Clock) -> bool | None:
    """Mail a saved report if it is due; return whether that went well.

    None where another worker is at it, or it is not due. What failed is kept with the row and is
    tried again, the next time later; the mail stays the one of the moment that it was due for, and
    those that came due meanwhile follow it.
    """
    owner = SavedReport.objects.claim(pk=saved_id, now=clock(), lease=LEASE)
    if owner is None:
        return None
    try:
        return _mail(saved_id, owner, clock)
    finally:
        SavedReport.objects.release(pk=saved_id, owner=owner)


def _mail(saved_id: int, owner: str, clock: Clock) -> bool | None:
    began = clock()
    row = SavedReport.objects.due(now=began).filter(pk=saved_id).select_related("owner").first()
    if row is None:
        return None
    meant = row.due_for if row.attempts and row.due_for else row.next_at
    due_for = min(meant or began, began)  # one to come is from before the clock was set back
    held = SavedReport.objects.filter(pk=saved_id, claimed_by=owner)
    again = next_attempt(row.attempts + 1, now=began, jitter=_random.random())
    # First: what kills this process is not tried again at once.
    held.update(attempts=row.attempts + 1, due_for=due_for, next_at=again)
    try:
        send_mail(compose(row, due_for=due_for))
    except (MailFailed, AskedRefused, ReportRefused) as error:
        held.update(error=str(error))
        log.warning("mail report=%s attempt=%d: %s", row, row.attempts + 1, error)
        return False
    now = clock()
    if fresh := held.first():
        then = _next_of(fresh, was=schedule_of(row), due_for=due_for, now=now)
        held.update(attempts=0, error="", mailed_at=now, next_at=then)
    log.info("mail report=%s recipients=%d", row, len(row.recipients))
    return True


def _next_of(
    row: SavedReport, *, was: Schedule, due_for: datetime, now: datetime
) -> datetime | None:
    """Return when a report is mailed next, that had the schedule `was` and was mailed just now.

    Moments that passed while no mail could be sent are caught up with, one mail each.
    """
    schedule = schedule_of(row)
    if schedule != was:  # it was changed meanwhile: nothing of the new one was missed
        return next_moment(schedule, after=now)
    last = now - CAUGHT_UP
    if due_for < last and (missed := next_moment(schedule, after=due_for)) and missed < last:
        log.warning("mail report=%s passes over what was due before %s", row, last)
    return next_moment(schedule, after=max(due_for, last))


def compose(row: SavedReport, *, due_for: datetime) -> Mail:
    """Return the mail of a saved report as of a moment, with what its owner may see.

    Raises MailFailed where he may see none any more, AskedRefused, ReportRefused.
    """
    if not (row.owner.is_active and row.owner.has_perm(MAY_SEE)):
        raise MailFailed(f"{row.owner}, whose report it is, may not see reports any more.")
    report = report_of(asked_of(row, now=due_for), rows=ROWS_ATTACHED)
    context: dict[str, Any] = {
        "row": row,
        "report": report,
        "words": words_of(report.asked),
        "url": f"{settings.TSCM_CONSOLE_URL}{reverse('console:report')}?{row.query}",
    }
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    return Mail(
        subject=f"{row.name}: {_headline(report)}",
        recipients=tuple(row.recipients),
        text=render_to_string("console/report_mail.txt", context),
        html=render_to_string("console/report_mail.html", context),
        attachments=tuple(_attached(part) for part in report.parts if part.summary is not None),
        message_id=f"<report-{row.pk}-{due_for:%Y%m%dT%H%M%S}@{host}>",
    )


def _headline(report: Report) -> str:
    number = report.connections
    return f"{number:,} connection{'' if number == 1 else 's'}"


def _attached(part: Part) -> Attachment:
    rows = summary_rows(part.summary) if part.summary is not None else ()
    text = "".join(csv_lines(SUMMARY_HEADINGS, rows))
    return Attachment(f"{part.by}.csv", text.encode(), "text/csv")
