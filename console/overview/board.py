"""Everything of the start page that rows tell; what events tell comes after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User

from console.overview.devices import DeviceLine, judged, lines_of
from console.overview.sentence import Headline, headline_of
from console.overview.tallies import LogTally, may_see_senders, sender_tallies, upload_tallies
from devices.health import HealthState
from devices.models import Device
from devices.protection import Protection
from devices.reports.visible import device_ids
from policies.models import Alarm, Change, Policy, Retrieval
from policies.states import FAILED_OUTCOMES, PolicyState
from policies.visible import visible

DEVICES_SHOWN = 15
POLICIES_SHOWN = 10
ERRORS_SHOWN = 5
ALARMS_SHOWN = 5
ALARMS_COUNTED = 2_000  # no more are read to tell which device has how many
CHANGES_SHOWN = 8
_POLICY_ORDER = {
    state: place
    for place, state in enumerate(
        (
            PolicyState.HELD,
            PolicyState.FAILED,
            PolicyState.PARTIAL,
            PolicyState.WAITING,
            PolicyState.NEW,
            PolicyState.PINNED,
            PolicyState.CURRENT,
        )
    )
}

Person = User | AnonymousUser


@dataclass(frozen=True, slots=True)
class Tally:
    """How many devices share a word."""

    state: HealthState
    number: int


@dataclass(frozen=True, slots=True)
class Board:
    """What the start page shows a user."""

    headline: Headline
    devices: tuple[DeviceLine, ...]
    device_total: int
    tallies: tuple[Tally, ...]
    log_tallies: tuple[LogTally, ...]
    policies: tuple[Policy, ...]
    policy_total: int
    alarms: tuple[Alarm, ...]  # the newest open ones
    alarm_total: int
    errors: tuple[Retrieval, ...]
    changes: tuple[Change, ...]
    sample: Device | None
    may_see_devices: bool
    may_add_device: bool
    may_remove_sample: bool
    may_see_hits: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing is served to anybody."""
        return self.device_total == 0

    @property
    def has_more_alarms(self) -> bool:
        """Whether there are open alarms that are not shown."""
        return self.alarm_total > len(self.alarms)


def board_for(user: Person, *, now: datetime) -> Board:
    """Return what the start page shows this user: only what he may see."""
    may = user.has_perm
    seen = judged(Device.objects.visible_to(user), now=now) if may("devices.view_device") else ()
    policies = _policies(user) if may("policies.view_policy") else ()
    alarms = _alarms(user) if may("policies.view_alarm") else ()
    counted = Counter(one.health.state for one in seen)
    about = Counter(alarm.subject for alarm in alarms)
    return Board(
        headline=headline_of(seen),
        devices=lines_of(seen[:DEVICES_SHOWN], alarms=about, now=now),
        device_total=len(seen),
        tallies=tuple(Tally(state, counted[state]) for state in HealthState if counted[state]),
        log_tallies=_log_tallies(seen, user),
        policies=policies[:POLICIES_SHOWN],
        policy_total=len(policies),
        alarms=alarms[:ALARMS_SHOWN],
        alarm_total=len(alarms),
        errors=_errors(user) if may("policies.view_retrieval") else (),
        changes=_changes(user) if may("policies.view_change") else (),
        sample=next((one.device for one in seen if one.device.is_sample), None),
        may_see_devices=may("devices.view_device"),
        may_add_device=may("devices.add_device"),
        may_remove_sample=may("devices.delete_device"),
        may_see_hits=may("logs.view_hits"),
    )


def _log_tallies(seen: Sequence[Protection], user: Person) -> tuple[LogTally, ...]:
    failing = sum(1 for one in seen if one.device.send_logs and one.device.log_trouble)
    devices = device_ids(user)
    return (
        *(upload_tallies(failing=failing, devices=devices) if seen else ()),
        *(sender_tallies() if may_see_senders(user) else ()),
    )


def _policies(user: Person) -> tuple[Policy, ...]:
    rows = Policy.objects.select_related("current").order_by("name", "id")
    policies = visible(rows, user)
    return tuple(sorted(policies, key=lambda policy: _POLICY_ORDER[policy.state_word]))


def _alarms(user: Person) -> tuple[Alarm, ...]:
    still_open = Alarm.objects.filter(closed_at=None).order_by("-opened_at", "-id")
    return tuple(visible(still_open, user)[:ALARMS_COUNTED])


def _errors(user: Person) -> tuple[Retrieval, ...]:
    failed = visible(Retrieval.objects.filter(outcome__in=FAILED_OUTCOMES), user)
    newest = failed.select_related("source").defer("source__settings")
    return tuple(newest.order_by("-started_at", "-id")[:ERRORS_SHOWN])


def _changes(user: Person) -> tuple[Change, ...]:
    newest = Change.objects.order_by("-at", "-id")
    return tuple(visible(newest, user)[:CHANGES_SHOWN])
