"""Tell targets of alarms: what waits for one goes out in few messages, each until it arrives.

A target that cannot be reached is tried ever more seldom, up to once an hour, and meanwhile what is
new for it is collected: when it is back it gets one message more, not hundreds. A message that is
refused lets the others pass. One that did not arrive within three days is given up, which its page
and an alarm say.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings as site
from django.db import transaction
from django.db.models import F
from django.urls import NoReverseMatch, reverse

from policies.alarm_words import NEXT_STEPS
from policies.fields import DecryptionFailed
from policies.models import AlarmNews, AlarmNotice, AlarmTarget
from policies.models.alarm_target import LONGEST_RETRY, is_due
from policies.notices.base import (
    Message,
    News,
    NoticeError,
    NoticeRefused,
    NoticeUnavailable,
    Notifier,
    NotifierMisconfigured,
)
from policies.services.alarm_notifiers import notifier_of
from policies.sources.base import Deadline
from policies.states import NoticeState

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

MOST_NEWS = 500  # in one message
AT_ONCE = 20  # messages of one job
SECONDS = 20.0  # for one message
JOB_SECONDS = AT_ONCE * SECONDS  # for all messages of one job
LEASE = timedelta(seconds=JOB_SECONDS + SECONDS + 60)
RETRY_FIRST = timedelta(seconds=30)
GIVE_UP_AFTER = timedelta(days=3)
KEPT = timedelta(days=90)


def due_targets(*, now: datetime) -> list[int]:
    """Return the targets that there is something to tell now."""
    return list(AlarmTarget.objects.due(now=now).order_by("pk").values_list("pk", flat=True))


def tell_target(*, target_id: int, clock: Clock) -> int | None:
    """Send what waits for a target; return how many messages arrived.

    None when another worker is at it, or it is not to be told now.
    """
    now = clock()
    owner = AlarmTarget.objects.claim(pk=target_id, now=now, lease=LEASE)
    if owner is None:
        return None
    try:
        target = AlarmTarget.objects.due(now=now).filter(pk=target_id).first()
        return None if target is None else _tell(target, clock)
    finally:
        AlarmTarget.objects.release(pk=target_id, owner=owner)


@dataclass(frozen=True, slots=True)
class Tried:
    """How a test ended, and what the other side said, or why it did not arrive."""

    arrived: bool
    detail: str


def send_test(*, target: AlarmTarget, now: datetime) -> Tried:
    """Send a target a test; where it arrives, what waits for the target is tried at once."""
    message = Message(_new_id(), site.TSCM_NODE, now, (), is_test=True)
    try:
        notifier = notifier_of(target, now=now)
        said = notifier.tell(message, now=now, deadline=Deadline.after(SECONDS))
    except (NoticeError, NotifierMisconfigured, DecryptionFailed) as error:
        return Tried(arrived=False, detail=str(error))
    _write_success(target, now=now)
    return Tried(arrived=True, detail=said)


def prune_notices(*, now: datetime) -> int:
    """Delete messages that ended long ago, with their news; return how many."""
    ended = AlarmNotice.objects.exclude(state=NoticeState.WAITING)
    return ended.filter(made_at__lt=now - KEPT).delete()[0]


def _tell(target: AlarmTarget, clock: Clock) -> int:
    """Send message after message, until none is left, the target is away, or time is up."""
    now = clock()
    try:
        notifier = notifier_of(target, now=now)
    except (NotifierMisconfigured, DecryptionFailed) as error:
        _write_failure(target, str(error), retry_after=LONGEST_RETRY, now=now)
        return 0
    arrived, failure, pause = 0, "", None
    job = Deadline.after(JOB_SECONDS)
    for notice in _waiting(target, notifier, now=now):
        if not job.remaining():
            break
        try:
            is_sent = _attempt(target, notice, notifier, clock)
        except NoticeUnavailable as error:
            failure, pause = str(error), _pause(target.failures)
            break
        except NoticeRefused as error:
            # It has a pause of its own: what is new may be taken where this one is not.
            failure, pause = str(error), None
        else:
            arrived += is_sent
    if arrived:
        _write_success(target, now=clock())
    elif failure:
        _write_failure(target, failure, retry_after=pause, now=clock())
    return arrived


def _waiting(target: AlarmTarget, notifier: Notifier, *, now: datetime) -> Iterator[AlarmNotice]:
    """Yield the messages to send now: those first that waited longest, then what is new.

    What is new becomes a message only when it is asked for, which nobody does of a target that is
    away; and not so soon after the last one that a burst would be many.
    """
    due = target.notices.filter(is_due(now=now)).order_by("made_at", "id")
    last = target.notices.order_by("-made_at", "-id").first()
    yield from list(due[:AT_ONCE])
    # A moment in the future is from before the clock was set back.
    if last is not None and timedelta(0) <= now - last.made_at < notifier.gathers:
        return
    for _ in range(AT_ONCE):
        notice = _gather(target, now=now)
        if notice is None:
            return
        yield notice


def _gather(target: AlarmTarget, *, now: datetime) -> AlarmNotice | None:
    """Write a message with the news that are in none yet; None where there are no such news."""
    with transaction.atomic():
        news = AlarmNews.objects.filter(target=target, notice=None).order_by("pk")
        chosen = list(news.values_list("pk", flat=True)[:MOST_NEWS])
        if not chosen:
            return None
        notice = AlarmNotice.objects.create(
            target=target, message_id=_new_id(), made_at=now, due_at=now
        )
        AlarmNews.objects.filter(pk__in=chosen, notice=None).update(notice=notice)
    return notice


def _attempt(target: AlarmTarget, notice: AlarmNotice, notifier: Notifier, clock: Clock) -> bool:
    """Send one message and write down how that ended; raises what it ended with.

    False where there is nothing to send any more: the target was turned off or deleted meanwhile,
    or the alarms are gone.
    """
    began = clock()
    row = AlarmNotice.objects.filter(pk=notice.pk, state=NoticeState.WAITING)
    # First: what kills this process is not tried again at once.
    tried = row.filter(target__is_enabled=True).update(
        attempts=F("attempts") + 1, due_at=began + _pause(notice.attempts)
    )
    if tried != 1:
        return False
    message = _message(notice)
    if not message.news:
        row.delete()
        return False
    try:
        said = notifier.tell(message, now=began, deadline=Deadline.after(SECONDS))
    except NoticeError as error:
        ended = clock() - notice.made_at >= GIVE_UP_AFTER
        row.update(
            detail=str(error),
            **({"state": NoticeState.GIVEN_UP, "due_at": None} if ended else {}),
        )
        log.warning("notice target=%s id=%s: %s", target.name, notice.message_id, error)
        raise
    row.update(state=NoticeState.SENT, sent_at=clock(), due_at=None, detail=said)
    log.info("notice target=%s id=%s: %s", target.name, notice.message_id, said)
    return True


def _message(notice: AlarmNotice) -> Message:
    rows = AlarmNews.objects.filter(notice=notice).select_related("alarm").order_by("pk")
    return Message(notice.message_id, site.TSCM_NODE, notice.made_at, tuple(map(_news, rows)))


def _news(row: AlarmNews) -> News:
    alarm = row.alarm
    return News(
        event="closed" if row.event == "closed" else "opened",
        alarm=alarm.pk,
        kind=alarm.kind,
        label=str(alarm.kind_word.label),
        severity="critical" if alarm.severity_word == "critical" else "warning",
        subject=alarm.subject,
        message=alarm.message,
        next_step=NEXT_STEPS.get(alarm.kind_word, ""),
        opened_at=alarm.opened_at,
        closed_at=alarm.closed_at if row.event == "closed" else None,
        url=_url(alarm.pk),
    )


def _url(alarm: int) -> str:
    try:
        page = reverse("admin:policies_alarm_change", args=[alarm])
    except NoReverseMatch:
        return ""
    return f"{site.TSCM_CONSOLE_URL}{page}"


def _write_success(target: AlarmTarget, *, now: datetime) -> None:
    with transaction.atomic():
        AlarmTarget.objects.filter(pk=target.pk).update(
            sent_at=now, failing_since=None, failures=0, retry_at=None, error=""
        )
        if target.failures:  # what waits need not wait any longer
            waiting = target.notices.filter(state=NoticeState.WAITING)
            waiting.filter(due_at__gt=now).update(due_at=now)


def _write_failure(
    target: AlarmTarget, why: str, *, retry_after: timedelta | None, now: datetime
) -> None:
    """Write down why it is not told, and when it is tried again."""
    AlarmTarget.objects.filter(pk=target.pk).update(
        failing_since=target.failing_since or now,
        failures=F("failures") + 1,
        retry_at=None if retry_after is None else now + retry_after,
        error=why,
    )


def _pause(failures: int) -> timedelta:
    return min(LONGEST_RETRY, RETRY_FIRST * (1 << min(failures, 7)))


def _new_id() -> str:
    return f"msg_{secrets.token_hex(12)}"
