"""Open an alarm when something goes wrong, close it when that is over: one a cause."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction

from policies.models import Alarm, Policy, Source
from policies.models.source import STALE_REFRESHES
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

    Each room keeps the kinds that are about what it does.
    """
    with transaction.atomic():
        held = {
            (AlarmKind(alarm.kind), alarm.subject): alarm
            for alarm in Alarm.objects.filter(closed_at=None, kind__in=kinds)
        }
        over = [alarm for cause, alarm in held.items() if cause not in wanted]
        Alarm.objects.filter(pk__in=[alarm.pk for alarm in over]).update(closed_at=now)
        for cause, message in wanted.items():
            _raise(cause, message, held.get(cause), now=now)
    for alarm in over:
        log.info("alarm over kind=%s subject=%s", alarm.kind, alarm.subject)
    return set(held.keys() ^ wanted.keys())


def _raise(cause: Cause, message: str, held: Alarm | None, *, now: datetime) -> None:
    kind, subject = cause
    if held is None:  # another worker may be at it too
        _, is_new = Alarm.objects.get_or_create(
            kind=kind, subject=subject, closed_at=None,
            defaults={"message": message, "opened_at": now},
        )  # fmt: skip
        if is_new:
            log.warning("alarm kind=%s subject=%s: %s", kind, subject, message)
    elif held.message != message:
        Alarm.objects.filter(pk=held.pk).update(message=message)


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
