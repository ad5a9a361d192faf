"""A message in words: the subject and the text of a mail, and the line of one piece of news."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from policies.notices.base import AGENT, Message, News

LONGEST_SUBJECT = 150
_MINUTE = timedelta(minutes=1)


def subject_of(message: Message) -> str:
    """Return the subject of a mail: what there is to know, in one line."""
    return f"[{AGENT} {message.appliance}] {_gist(message)}"[:LONGEST_SUBJECT]


def text_of(message: Message) -> str:
    """Return the text of a mail: what began, the worst first, then what is over."""
    if message.is_test:
        return _test_text(message)
    opened, closed = _parts(message)
    foot = (
        f"Told by {AGENT} on {message.appliance}, {_moment(message.made_at)}. Alarms close by "
        f"themselves when their cause is over."
    )
    chapters = [
        *_chapter("Open now", opened, _told_open),
        *_chapter("Over", closed, _told_over),
    ]
    return "\n\n".join([*chapters, foot]) + "\n"


def line_of(news: News) -> str:
    """Return one piece of news as one line."""
    if news.event == "closed":
        return f"Over: {news.label}: {news.subject}{_lasted(news)}"
    return f"{news.label}: {news.subject}. {news.message}"


def _gist(message: Message) -> str:
    if message.is_test:
        return "A test: alarms reach this address"
    opened, closed = _parts(message)
    if len(opened) == 1 and not closed:
        return f"{opened[0].label}: {opened[0].subject}"
    if len(closed) == 1 and not opened:
        return f"Over: {closed[0].label}: {closed[0].subject}"
    said = []
    if opened:
        said.append(f"{len(opened):,} alarms: {_kinds(opened)}" if len(opened) > 1 else "1 alarm")
    if closed:
        said.append(f"{len(closed):,} over")
    return "; ".join(said)


def _kinds(news: Iterable[News]) -> str:
    counted: dict[str, int] = {}
    for one in news:
        counted[one.label] = counted.get(one.label, 0) + 1
    ordered = sorted(counted.items(), key=lambda item: -item[1])
    return ", ".join(f"{number:,} {label}" for label, number in ordered)


def _parts(message: Message) -> tuple[list[News], list[News]]:
    """Return what is open and what is over; an alarm of which both is told is over."""
    over = {one.alarm for one in message.news if one.event == "closed"}
    opened = [one for one in message.news if one.event == "opened" and one.alarm not in over]
    closed = [one for one in message.news if one.event == "closed"]
    return sorted(opened, key=lambda one: one.severity != "critical"), closed


def _chapter(title: str, news: Sequence[News], told: Callable[[News], str]) -> list[str]:
    if not news:
        return []
    head = f"{title} ({len(news):,})"
    return [f"{head}\n{'=' * len(head)}", *map(told, news)]


def _told_open(news: News) -> str:
    lines = [
        f"{news.severity.upper()}  {news.label}: {news.subject}",
        f"  since {_moment(news.opened_at)}",
        f"  {news.message}",
        *([f"  Next: {news.next_step}"] if news.next_step else []),
        *([f"  {news.url}"] if news.url else []),
    ]
    return "\n".join(lines)


def _told_over(news: News) -> str:
    line = f"{news.label}: {news.subject}{_lasted(news)}"
    return f"{line}\n  {news.url}" if news.url else line


def _lasted(news: News) -> str:
    if news.closed_at is None:
        return ""
    minutes = max(0, (news.closed_at - news.opened_at) // _MINUTE)
    hours, rest = divmod(minutes, 60)
    lasted = f"{hours:,} h {rest} min" if hours else f"{rest} min"
    return f", from {_moment(news.opened_at)} for {lasted}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _test_text(message: Message) -> str:
    return (
        f"This is a test that somebody asked for. Alarms of {AGENT} on {message.appliance} reach "
        f"this address.\n\nSent {_moment(message.made_at)}.\n"
    )
