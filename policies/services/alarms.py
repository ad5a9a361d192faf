"""Open an alarm when something goes wrong, close it when that is over: one a cause."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db import transaction

from policies.alarm_words import SETTLES_AFTER
from policies.models import Alarm, Policy, Source
from policies.models.source import STALE_REFRESHES
from policies.services.alarm_news import queue_news
from policies.states import AlarmKind, PolicyState

log = logging.getLogger(__name__)

Cause = tuple[AlarmKind, str]
_KINDS = (AlarmKind.STALE, AlarmKind.HELD, AlarmKind.FAILED)
_TROUBLES = {PolicyState.HELD: AlarmKind.HELD, PolicyState.FAILED: AlarmKind.FAILED}


def review_alarms(*, now: datetime) -> None:
    """Make the open alarms those that there is a cause for now.

    A list that becomes stale, or is fresh again, leaves its policies due: they may drop its
    entries.
    """
    stale = {f"source {source.name}": source for source in _stale(now=now)}
    wanted: dict[Cause, str] = {
        (AlarmKind.STALE, subject): _why_stale(source) for subject, source in stale.items()
    }
    for policy in Policy.objects.filter(state__in=_TROUBLES).order_by("id"):
        kind = _TROUBLES[policy.state_word]
        wanted[kind, f"policy {policy.name}"] = policy.state_detail
    with transaction.atomic():
        turned = keep_alarms(kinds=_KINDS, wanted=wanted, now=now)
        stale_turned = {subject for kind, subject in turned if kind == AlarmKind.STALE}
        names = [subject.removeprefix("source ") for subject in stale_turned]
        Policy.objects.filter(sources__name__in=names).update(due_at=now)


def keep_alarms(
    *, kinds: Collection[AlarmKind], wanted: Mapping[Cause, str], now: datetime
) -> set[Cause]:
    """Make the open alarms of some kinds those that are wanted; return the causes that turned.

    Each room keeps the kinds that are about what it does. What hovers about a limit stays open
    until all was well for a while (`SETTLES_AFTER`). Who is to be told of what opens and closes is
    written down in the same transaction.
    """
    with transaction.atomic():
        held = {
            (AlarmKind(alarm.kind), alarm.subject): alarm
            for alarm in Alarm.objects.still_open().filter(kind__in=kinds)
        }
        over = _over([alarm for cause, alarm in held.items() if cause not in wanted], now=now)
        _keep_open([alarm for cause, alarm in held.items() if cause in wanted], wanted)
        begun = _begin({c: m for c, m in wanted.items() if c not in held}, now=now)
        queue_news(opened=begun, closed=over)
    for alarm in begun:
        log.warning("alarm kind=%s subject=%s: %s", alarm.kind, alarm.subject, alarm.message)
    for alarm in over:
        log.info("alarm over kind=%s subject=%s", alarm.kind, alarm.subject)
    return {(AlarmKind(alarm.kind), alarm.subject) for alarm in (*begun, *over)}


def _over(fine: Sequence[Alarm], *, now: datetime) -> list[Alarm]:
    """Close those of the alarms without a cause that were so for long enough; return them."""
    over: list[Alarm] = []
    settling: list[int] = []
    for alarm in fine:
        since, wait = alarm.fine_since, SETTLES_AFTER.get(alarm.kind_word)
        # A moment in the future is from before the clock was set back.
        if wait is None or (since is not None and not since <= now < since + wait):
            over.append(alarm)
        elif since is None:
            settling.append(alarm.pk)
    Alarm.objects.filter(pk__in=settling).update(fine_since=now)
    for alarm in over:
        # When it was over, not when that was trusted.
        alarm.closed_at = min(alarm.fine_since or now, now)
    Alarm.objects.bulk_update(over, ["closed_at"], batch_size=500)
    return over


def _keep_open(alarms: Iterable[Alarm], wanted: Mapping[Cause, str]) -> None:
    changed = []
    for alarm in alarms:
        message = wanted[AlarmKind(alarm.kind), alarm.subject]
        if alarm.message != message or alarm.fine_since is not None:
            alarm.message, alarm.fine_since = message, None
            changed.append(alarm)
    Alarm.objects.bulk_update(changed, ["message", "fine_since"], batch_size=500)


def _begin(wanted: Mapping[Cause, str], *, now: datetime) -> list[Alarm]:
    """Open an alarm for each cause that has none; return those that another worker did not."""
    begun = []
    for (kind, subject), message in wanted.items():
        alarm, is_new = Alarm.objects.get_or_create(
            kind=kind, subject=subject, closed_at=None,
            defaults={"message": message, "opened_at": now},
        )  # fmt: skip
        if is_new:
            begun.append(alarm)
    return begun


def _stale(*, now: datetime) -> list[Source]:
    """Return the sources whose list is past its limit, or never came, and is wanted fresh."""
    wanted = Source.objects.filter(is_enabled=True, policies__is_paused=False)
    rows = wanted.defer("settings").distinct().order_by("name", "id")
    return [source for source in rows if source.is_stale(now=now) or _never_came(source)]


def _never_came(source: Source) -> bool:
    """Tell whether several retrievals failed and none ever brought a list."""
    return source.retrieved_at is None and source.failures >= STALE_REFRESHES


def _why_stale(source: Source) -> str:
    if source.retrieved_at is None:
        return f"No list of {source.name} ever came: {source.error}"
    return (
        f"The list of {source.name} was last retrieved {source.retrieved_at:%Y-%m-%d %H:%M} UTC; "
        f"its limit is {source.stale_limit}. {source.error or 'It was not due since then.'}"
    )
