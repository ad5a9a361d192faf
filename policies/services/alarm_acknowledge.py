"""Say that somebody has seen an alarm: it stays open, and calls no more."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from policies.models import Alarm
from policies.models.alarm import LONGEST_NOTE
from policies.services.changes import record_change
from policies.services.rows import Outdated, Refused


def acknowledge_alarm(*, alarm: Alarm, note: str, actor: str, now: datetime) -> Alarm:
    """Write down who has seen an open alarm, and his note, in place of one before.

    Raises Outdated where it is over, Refused for a note that is too long.
    """
    note = " ".join(note.split())
    if len(note) > LONGEST_NOTE:
        raise Refused(f"note may have {LONGEST_NOTE} characters", setting="note")
    with transaction.atomic():
        row = Alarm.objects.select_for_update().get(pk=alarm.pk)
        if not row.is_open:
            raise Outdated("the alarm is over; there is nothing to acknowledge any more")
        before = {"note": row.note}
        row.acknowledged_at, row.acknowledged_by, row.note = now, actor[:150], note
        row.save(update_fields=["acknowledged_at", "acknowledged_by", "note"])
        record_change(
            actor=actor, verb="acknowledge alarm", subject=row.subject, now=now,
            before=before, after={"note": note},
        )  # fmt: skip
    return row
