"""alarms, alarms acknowledge: what is wrong, and who looks after it."""

from __future__ import annotations

from datetime import datetime

from policies import services
from policies.api.alarms import AlarmSerializer
from policies.models import Alarm
from tsadmin.errors import Refused
from tsadmin.screen import print_csv, print_json, print_line, print_table
from tsadmin.site import actor

ALARMS_SHOWN = 200
COLUMNS = ("ID", "Since", "Over", "Severity", "Alarm", "About", "Seen by", "What to know")


def list_alarms(*, everything: bool, as_csv: bool, as_json: bool) -> None:
    """Print the open alarms, and those that are over where everything is asked for."""
    alarms = Alarm.objects.all() if everything else Alarm.objects.still_open()
    rows = list(alarms.order_by("-opened_at", "-id")[:ALARMS_SHOWN])
    if as_json:
        print_json({"alarms": [_json(alarm) for alarm in rows]})
    elif as_csv:
        print_csv(COLUMNS, [_row(alarm) for alarm in rows])
    elif rows:
        print_table(COLUMNS, [_row(one) for one in rows])
    else:
        print_line("No alarm is open." if not everything else "There were no alarms.")


def acknowledge(*, number: int, note: str, now: datetime, as_json: bool) -> None:
    """Write down that somebody has seen an alarm."""
    alarm = Alarm.objects.filter(pk=number).first() if 0 < number < 2**63 else None
    if alarm is None:
        raise Refused(f"there is no alarm {number}; see 'tsadmin alarms'")
    seen = services.acknowledge_alarm(alarm=alarm, note=note, actor=actor(), now=now)
    if as_json:
        print_json(_json(seen))
    else:
        print_line(f"Acknowledged: {seen}. It closes by itself.", tone="success")


def _row(alarm: Alarm) -> tuple[str, ...]:
    over = f"{alarm.closed_at:%Y-%m-%d %H:%M}" if alarm.closed_at else "open"
    since = f"{alarm.opened_at:%Y-%m-%d %H:%M}"
    return (
        str(alarm.pk), since, over, str(alarm.severity_word.label), str(alarm.kind_word.label),
        alarm.subject, alarm.acknowledged_by, alarm.message,
    )  # fmt: skip


def _json(alarm: Alarm) -> dict[str, object]:
    return dict(AlarmSerializer(alarm).data)
