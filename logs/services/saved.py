"""Keep, change and remove reports with a name, and say when they are mailed.

    save_report(*, values, owner, actor, now) -> SavedReport
    change_saved(*, row, changes, actor, now) -> SavedReport
    remove_saved(*, row, actor, now) -> None
    send_saved(*, row, actor, now) -> None

Everything raises Refused and then nothing was changed.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import QueryDict

from devices.reports.visible import device_ids
from logs.models.saved import MOST_RECIPIENTS, SavedReport
from logs.reports.asked import Asked, AskedRefused, read_asked
from logs.services.saved_times import Schedule, next_moment
from logs.states import Every
from policies.mailboxes import check_mailbox
from policies.services import Refused, record_change
from policies.services.rows import check_columns, save_row, set_columns

SAVED_COLUMNS = (
    "name", "query", "is_shared", "every", "at", "zone", "weekday", "day", "recipients",
)  # fmt: skip
_TIMED = frozenset({"every", "at", "zone", "weekday", "day"})


def save_report(
    *, values: Mapping[str, object], owner: User, actor: str, now: datetime
) -> SavedReport:
    """Keep a question under a name; it is mailed from the next time of its schedule on."""
    row = SavedReport(owner=owner)
    set_columns(row, values, known=SAVED_COLUMNS)
    _check(row, now=now)
    row.next_at = next_moment(schedule_of(row), after=now)
    with transaction.atomic():
        save_row(row)
        record_change(actor=actor, verb="save", subject=_subject(row), now=now, after=_columns(row))
    return row


def change_saved(
    *, row: SavedReport, changes: Mapping[str, object], actor: str, now: datetime
) -> SavedReport:
    """Change a saved report; where its schedule changes, so does when it is mailed next."""
    before = _columns(row)
    set_columns(row, changes, known=SAVED_COLUMNS)
    _check(row, now=now)
    after = _columns(row)
    written = list(changes)
    if any(before[name] != after[name] for name in _TIMED):
        row.next_at, row.attempts, row.error = next_moment(schedule_of(row), after=now), 0, ""
        written += ["next_at", "attempts", "error"]
    with transaction.atomic():
        save_row(row, update_fields=written)
        record_change(
            actor=actor, verb="change", subject=_subject(row), now=now, before=before, after=after
        )
    return row


def remove_saved(*, row: SavedReport, actor: str, now: datetime) -> None:
    """Remove a saved report; it is not mailed any more."""
    before, subject = _columns(row), _subject(row)
    with transaction.atomic():
        row.delete()
        record_change(actor=actor, verb="remove", subject=subject, now=now, before=before)


def send_saved(*, row: SavedReport, actor: str, now: datetime) -> None:
    """Leave a saved report due, whatever its schedule says; workers mail it."""
    if not row.recipients:
        raise Refused("It has no recipients: give one first.", setting="recipients")
    with transaction.atomic():
        SavedReport.objects.filter(pk=row.pk).update(next_at=now, attempts=0)
        record_change(actor=actor, verb="send", subject=_subject(row), now=now)


def schedule_of(row: SavedReport) -> Schedule:
    """Return when a saved report is mailed."""
    return Schedule(Every(row.every), row.at, row.zone, row.weekday, row.day)


def asked_of(row: SavedReport, *, now: datetime) -> Asked:
    """Return the question of a saved report, as its owner may ask it. Raises AskedRefused."""
    given = dict(QueryDict(row.query).lists())
    return read_asked(given, now=now, sees=device_ids(row.owner))


def _check(row: SavedReport, *, now: datetime) -> None:
    if row.zone not in zoneinfo.available_timezones():
        raise Refused(f"{row.zone!r} is no time zone. Write such as Europe/Berlin.", setting="zone")
    row.query = row.query.strip().lstrip("?")
    row.recipients = _recipients(row)
    check_columns(row, SAVED_COLUMNS)
    try:
        asked = asked_of(row, now=now)
    except AskedRefused as refused:
        raise Refused(str(refused), setting="query") from refused
    if row.every != Every.NEVER and not asked.last:
        raise Refused(
            "It is about a fixed time, which would be mailed over and over. Take one of the last "
            "24 hours, 7 days or 30 days.",
            setting="query",
        )


def _recipients(row: SavedReport) -> list[str]:
    given = [str(one).strip() for one in row.recipients]
    found = list(dict.fromkeys(one for one in given if one))
    if len(found) > MOST_RECIPIENTS:
        raise Refused(f"It takes at most {MOST_RECIPIENTS} recipients.", setting="recipients")
    for address in found:
        try:
            check_mailbox(address)
        except (ValidationError, ValueError) as error:
            raise Refused(f"{address!r} is no mail address.", setting="recipients") from error
    if row.every != Every.NEVER and not found:
        raise Refused("Somebody must receive what is mailed.", setting="recipients")
    return found


def _columns(row: SavedReport) -> dict[str, object]:
    columns = {name: getattr(row, name) for name in SAVED_COLUMNS}
    return {**columns, "at": f"{row.at:%H:%M}"}


def _subject(row: SavedReport) -> str:
    return f"saved report {row.name}"[:200]
