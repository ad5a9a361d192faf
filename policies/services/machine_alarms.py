"""The alarms about the appliance itself: its clock, the disk of its data, and who is told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings as site

from policies.models import Alarm, AlarmTarget, Clock
from policies.services.alarms import Cause, keep_alarms
from policies.states import AlarmKind
from policies.timekeeping import ClockReading

KINDS = (AlarmKind.CLOCK, AlarmKind.DATA_DISK, AlarmKind.TARGET_FAILING)
# Between two looks the clocks drift apart by less, however badly a machine keeps time.
STEP = timedelta(seconds=5)
STEPPED_FOR = timedelta(hours=1)
# After a boot it takes a while until the time is known.
ADRIFT_AFTER = timedelta(hours=1)
# Nobody looked for so long: this appliance was off, and nothing could reach it.
AWAY = timedelta(minutes=15)
FAILING_AFTER = timedelta(minutes=5)
# Of the disk, and at most.
_FREE_SHARE = 20
_FREE_MOST = 2_000_000_000

_Found = Iterator[tuple[Cause, str]]


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that holds the data folder, in bytes."""

    free: int
    total: int

    @property
    def floor(self) -> int:
        """How much must be free: a twentieth, 2 GB at most."""
        return min(self.total // _FREE_SHARE, _FREE_MOST)


def review_machine_alarms(*, reading: ClockReading, disk: Disk, now: datetime) -> None:
    """Make the open alarms about this machine those that there is a cause for now.

    `reading` was taken at `now`.
    """
    _look_at_clock(reading, now=now)
    wanted = dict([*_clocks(now=now), *_disk(disk), *_targets(now=now)])
    keep_alarms(kinds=KINDS, wanted=wanted, now=now)


def back_since(*, now: datetime) -> datetime | None:
    """Return since when the appliance is there without a long gap; None where nobody knows.

    What others did not do while it was away is not their fault.
    """
    backs = Clock.objects.filter(back_at__lte=now).order_by("-back_at")
    return backs.values_list("back_at", flat=True).first()


def known_before(
    wanted: Mapping[Cause, str], *, kinds: Collection[AlarmKind], wait: timedelta, now: datetime
) -> dict[Cause, str]:
    """Return what is wanted, but for causes of some kinds that began while the appliance was away.

    For as long as `wait` after it came back: until then others had no time to come again.
    """
    back = back_since(now=now)
    if back is None or now - back > wait:
        return dict(wanted)
    told = Alarm.objects.still_open().filter(kind__in=kinds).values_list("kind", "subject")
    known = {(AlarmKind(kind), subject) for kind, subject in told}
    return {c: why for c, why in wanted.items() if c[0] not in kinds or c in known}


def _look_at_clock(reading: ClockReading, *, now: datetime) -> None:
    """Compare the clock with what was seen last, and keep what is seen now."""
    row = Clock.objects.filter(node=site.TSCM_NODE).first()
    if row is None:
        row = Clock(node=site.TSCM_NODE, back_at=now)
    elif row.boot == reading.boot:
        passed = reading.uptime - row.uptime
        step = (now - row.checked_at).total_seconds() - passed
        if abs(step) > STEP.total_seconds():
            row.stepped_at, row.stepped_seconds = now, step
        if passed > AWAY.total_seconds():
            row.back_at = now
    else:
        row.back_at = now
    if reading.is_kept is not False:
        row.adrift_since = None
    elif row.adrift_since is None or row.adrift_since > now:
        row.adrift_since = now
    row.boot, row.uptime, row.checked_at = reading.boot, reading.uptime, now
    row.save()


def _clocks(*, now: datetime) -> _Found:
    # A machine that looks no more has no clock that matters.
    for row in Clock.objects.filter(checked_at__gt=now - AWAY).order_by("node", "id"):
        why = _why_stepped(row, now=now) or _why_adrift(row, now=now)
        if why:
            yield (AlarmKind.CLOCK, f"clock of {row.node}"), why


def _why_stepped(row: Clock, *, now: datetime) -> str:
    if row.stepped_at is None or not timedelta(0) <= now - row.stepped_at < STEPPED_FOR:
        return ""
    way = "forward" if row.stepped_seconds > 0 else "back"
    return (
        f"The clock was set {way} by {abs(row.stepped_seconds):,.0f} seconds, as seen "
        f"{row.stepped_at:%Y-%m-%d %H:%M} UTC. Times of before and after do not fit together."
    )


def _why_adrift(row: Clock, *, now: datetime) -> str:
    if row.adrift_since is None or now - row.adrift_since < ADRIFT_AFTER:
        return ""
    return (
        f"Nothing keeps the clock in step with the time of the world, since "
        f"{row.adrift_since:%Y-%m-%d %H:%M} UTC. Signed transfers fail once it is wrong by minutes."
    )


def _disk(disk: Disk) -> _Found:
    if disk.free < disk.floor:
        yield (AlarmKind.DATA_DISK, "disk of the data folder"), _why_full(disk)


def _why_full(disk: Disk) -> str:
    return (
        f"{disk.free // 1_000_000:,} MB of {disk.total // 1_000_000:,} MB are free and "
        f"{disk.floor // 1_000_000:,} MB should be. On a full disk no list is published; what is "
        f"in force stays."
    )


def _targets(*, now: datetime) -> _Found:
    failing = AlarmTarget.objects.filter(is_enabled=True, failing_since__lte=now - FAILING_AFTER)
    for target in failing.order_by("name", "id"):
        since = f"{target.failing_since:%Y-%m-%d %H:%M} UTC"
        why = f"{target.name} is told nothing since {since}. {target.error}"
        yield (AlarmKind.TARGET_FAILING, f"alarm target {target.name}"), why
