"""What is to be told to whom: written down with the alarm itself, so that nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence

from policies.models import Alarm, AlarmNews, AlarmTarget
from policies.states import AlarmEvent


def queue_news(*, opened: Sequence[Alarm], closed: Sequence[Alarm]) -> None:
    """Write down for each target what it is to be told of alarms that open and close.

    Of the end of an alarm only those are told who were told, or are to be told, that it began.
    """
    if not opened and not closed:
        return
    targets = list(AlarmTarget.objects.filter(is_enabled=True).order_by("pk"))
    told = set(
        AlarmNews.objects.filter(
            alarm__in=[alarm.pk for alarm in closed],
            target__in=[target.pk for target in targets],
            event=AlarmEvent.OPENED,
        ).values_list("target_id", "alarm_id")
    )
    news = [
        AlarmNews(target=target, alarm=alarm, event=AlarmEvent.OPENED)
        for target in targets
        for alarm in opened
        if target.wants(alarm.kind_word)
    ]
    news += [
        AlarmNews(target=target, alarm=alarm, event=AlarmEvent.CLOSED)
        for target in targets
        for alarm in closed
        if (target.pk, alarm.pk) in told
    ]
    # Another worker may have closed the same alarm in this moment.
    AlarmNews.objects.bulk_create(news, batch_size=500, ignore_conflicts=True)
