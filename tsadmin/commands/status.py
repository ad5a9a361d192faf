"""status: is every device protected, and what has somebody to look after?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import typer

from devices.health import HealthState
from devices.models import Device
from devices.protection import Protection, protections
from logs.reports.totals import senders_to_decide, unsent_batches
from logs.states import BatchState
from policies.models import Alarm, Policy
from policies.states import AlarmKind, AlarmSeverity, PolicyState
from tsadmin.screen import print_csv, print_facts, print_json, print_line, print_table
from tsadmin.words import counted

COLUMNS = ("Device", "Protected", "State", "Seen last", "What to know")
SHOWN = 20  # devices that are not protected, on a terminal


@dataclass(frozen=True, slots=True)
class Status:
    """How the site does. Samples protect nobody and are not counted."""

    devices: tuple[Protection, ...]
    policies: dict[str, int]
    alarms: dict[AlarmSeverity, int]
    unseen: int  # open alarms that nobody has acknowledged
    waiting: int  # batches for their upload
    refused: int
    senders: int  # whose lines are refused, and nobody decided about

    @property
    def bare(self) -> tuple[Protection, ...]:
        """The devices that are not protected."""
        return tuple(one for one in self.devices if not one.is_protected)

    @property
    def is_protected(self) -> bool:
        """Whether there are devices, and every one is protected."""
        return bool(self.devices) and not self.bare

    @property
    def sentence(self) -> str:
        """The answer."""
        total, bare = len(self.devices), len(self.bare)
        if not total:
            return "No firewall of yours is served yet."
        if not bare:
            return f"Every device is protected: {counted(total, 'device', 'devices')}."
        return f"{bare:,} of {counted(total, 'device', 'devices')} not protected."


def print_status(*, now: datetime, as_csv: bool, as_json: bool) -> None:
    """Print how the site does; ends with exit code 1 where not every device is protected."""
    status = status_of(now=now)
    if as_json:
        print_json(_json(status))
    elif as_csv:
        print_csv(COLUMNS, [_row(one) for one in status.devices])
    else:
        _print(status)
    if not status.is_protected:
        raise typer.Exit(1)


def status_of(*, now: datetime) -> Status:
    """Return how the site does."""
    devices = protections(Device.objects.filter(is_sample=False), now=now)
    kinds = Counter(Alarm.objects.still_open().values_list("kind", flat=True))
    by_severity: Counter[AlarmSeverity] = Counter()
    for kind, number in kinds.items():
        by_severity[AlarmKind(kind).severity] += number
    unsent = unsent_batches()
    return Status(
        devices=devices,
        policies=Counter(Policy.objects.values_list("state", flat=True)),
        alarms={severity: by_severity[severity] for severity in AlarmSeverity},
        unseen=Alarm.objects.calling().count(),
        waiting=unsent[BatchState.WAITING],
        refused=unsent[BatchState.REFUSED],
        senders=senders_to_decide(),
    )


def _print(status: Status) -> None:
    print_line(status.sentence, tone="success" if status.is_protected else "danger")
    if status.bare:
        print_table(COLUMNS, [_row(one) for one in status.bare[:SHOWN]])
        print_line("")
    print_facts(
        [
            ("Devices", _by_state(_health(status.devices))),
            ("Policies", _by_state(_policies(status))),
            ("Open alarms", _by_state(_severities(status), unseen=status.unseen)),
            ("Batches", f"{status.waiting:,} wait for their upload, {status.refused:,} refused"),
            ("Refused senders", f"{status.senders:,} to decide about"),
        ]
    )


def _health(devices: Sequence[Protection]) -> dict[str, int]:
    found = Counter(one.health.state for one in devices)
    return {str(state.label): found[state] for state in HealthState if found[state]}


def _policies(status: Status) -> dict[str, int]:
    return {str(PolicyState(state).label): number for state, number in status.policies.items()}


def _severities(status: Status) -> dict[str, int]:
    return {str(one.label): number for one, number in status.alarms.items() if number}


def _by_state(numbers: dict[str, int], *, unseen: int = 0) -> str:
    told = ", ".join(f"{number:,} {word}" for word, number in numbers.items()) or "none"
    return f"{told}; {unseen:,} that nobody has acknowledged" if unseen else told


def _row(one: Protection) -> tuple[str, ...]:
    return (
        one.device.nickname,
        "yes" if one.is_protected else "no",
        one.health.label,
        f"{one.seen_at:%Y-%m-%d %H:%M}" if one.seen_at else "never",
        one.health.detail,
    )


def _json(status: Status) -> dict[str, object]:
    return {
        "is_every_device_protected": status.is_protected,
        "sentence": status.sentence,
        "devices": [
            {
                "name": one.device.nickname,
                "is_protected": one.is_protected,
                "state": one.health.state.value,
                "detail": one.health.detail,
                "seen_at": one.seen_at,
            }
            for one in status.devices
        ],
        "policies": {state.value: status.policies.get(state.value, 0) for state in PolicyState},
        "alarms": {one.value: number for one, number in status.alarms.items()},
        "alarms_unseen": status.unseen,
        "batches_waiting": status.waiting,
        "batches_refused": status.refused,
        "senders_to_decide": status.senders,
    }
