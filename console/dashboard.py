"""What the start page says: what is protected, what is in trouble, what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin

from console.log_tallies import LogTally, sender_tallies, upload_tallies
from devices.admin.filters import with_health
from devices.health import Health, HealthState, health_of, last_seen
from devices.models import Device
from policies.models import Alarm, Change, Policy, Retrieval
from policies.states import FAILED_OUTCOMES, PolicyState

DEVICES_SHOWN = 25
POLICIES_SHOWN = 15
ERRORS_SHOWN = 5
ALARMS_SHOWN = 10
CHANGES_SHOWN = 8
_TROUBLE_FIRST = {state: place for place, state in enumerate(HealthState)}
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

User = AbstractBaseUser | AnonymousUser | PermissionsMixin


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """A device and how it does."""

    device: Device
    health: Health

    @property
    def seen_at(self) -> datetime | None:
        """When it fetched a feed, or its kernel was read back, last."""
        return last_seen(self.device)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many devices share a word."""

    state: HealthState
    number: int


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything the start page shows a user."""

    devices: tuple[DeviceLine, ...]
    device_total: int
    tallies: tuple[Tally, ...]
    log_tallies: tuple[LogTally, ...]
    policies: tuple[Policy, ...]
    policy_total: int
    alarms: tuple[Alarm, ...]  # open ones
    has_more_alarms: bool
    errors: tuple[Retrieval, ...]
    changes: tuple[Change, ...]
    sample: Device | None
    may_see_devices: bool
    may_add_device: bool
    may_remove_sample: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing is served to anybody."""
        return self.device_total == 0


def dashboard_for(user: User, *, now: datetime) -> Dashboard:
    """Return what the start page shows this user: only what he may see."""

    def may(permission: str) -> bool:
        return bool(user.has_perm(permission))  # type: ignore[union-attr]

    lines = _device_lines(now=now) if may("devices.view_device") else ()
    policies = _policies() if may("policies.view_policy") else ()
    alarms = _alarms() if may("policies.view_alarm") else ()
    counted = Counter(line.health.state for line in lines)
    return Dashboard(
        devices=lines[:DEVICES_SHOWN],
        device_total=len(lines),
        tallies=tuple(Tally(state, counted[state]) for state in HealthState if counted[state]),
        log_tallies=_log_tallies(lines, may),
        policies=policies[:POLICIES_SHOWN],
        policy_total=len(policies),
        alarms=alarms[:ALARMS_SHOWN],
        has_more_alarms=len(alarms) > ALARMS_SHOWN,
        errors=_errors() if may("policies.view_retrieval") else (),
        changes=tuple(Change.objects.order_by("-at", "-id")[:CHANGES_SHOWN])
        if may("policies.view_change")
        else (),
        sample=next((line.device for line in lines if line.device.is_sample), None),
        may_see_devices=may("devices.view_device"),
        may_add_device=may("devices.add_device"),
        may_remove_sample=may("devices.delete_device"),
    )


def _device_lines(*, now: datetime) -> tuple[DeviceLine, ...]:
    devices = with_health(Device.objects.order_by("nickname", "id"))
    lines = (DeviceLine(device, health_of(device, now=now)) for device in devices)
    return tuple(sorted(lines, key=lambda line: _TROUBLE_FIRST[line.health.state]))


def _log_tallies(lines: tuple[DeviceLine, ...], may: Callable[[str], bool]) -> tuple[LogTally, ...]:
    failing = sum(1 for line in lines if line.device.send_logs and line.device.log_trouble)
    return (
        *(upload_tallies(failing=failing) if lines else ()),
        *(sender_tallies() if may("logs.view_sender") else ()),
    )


def _policies() -> tuple[Policy, ...]:
    policies = Policy.objects.select_related("current").order_by("name", "id")
    return tuple(sorted(policies, key=lambda policy: _POLICY_ORDER[policy.state_word]))


def _alarms() -> tuple[Alarm, ...]:
    still_open = Alarm.objects.filter(closed_at=None).order_by("-opened_at", "-id")
    return tuple(still_open[: ALARMS_SHOWN + 1])


def _errors() -> tuple[Retrieval, ...]:
    failed = Retrieval.objects.filter(outcome__in=FAILED_OUTCOMES)
    newest = failed.select_related("source").defer("source__settings")
    return tuple(newest.order_by("-started_at", "-id")[:ERRORS_SHOWN])
