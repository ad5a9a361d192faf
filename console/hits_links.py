"""The addresses that a report leads to: narrowed by a row, of another time, of another page."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import QueryDict

from logs.events.filters import By

_SPAN = ("last", "since", "until")
_BESIDE = ("page", "by")  # of a page, not of its question
# The parameter that narrows a question to a row of a summary.
PARAMETERS = {
    By.DEVICE: "device",
    By.LIST: "list",
    By.OUTSIDE: "outside",
    By.INSIDE: "inside",
    By.PORT: "ports",
    By.DIRECTION: "direction",
}
_LENGTHS = {By.HOUR: timedelta(hours=1), By.DAY: timedelta(days=1)}


def narrowed(query: QueryDict, by: By, key: str) -> str:
    """Return a question narrowed to a row of its summary; "" where a filter cannot say that."""
    if not key:
        return ""
    if by in _LENGTHS:
        begin = datetime.fromisoformat(key).replace(tzinfo=None)
        return _encoded(query, since=_text(begin), until=_text(begin + _LENGTHS[by]))
    if by not in PARAMETERS:
        return ""
    return _encoded(query, **{PARAMETERS[by]: key})


def with_span(query: QueryDict, *, last: str) -> str:
    """Return a question about another span."""
    return _encoded(query, last=last)


def with_page(query: QueryDict, page: int) -> str:
    """Return another page of the same."""
    return _encoded(query, page=str(page))


def question(query: QueryDict) -> str:
    """Return what is asked alone, without the page it is on."""
    return _encoded(query, page="")


def without_by(query: QueryDict) -> str:
    """Return what is asked, without the tables it is summed up in."""
    return _encoded(query, page="", by="")


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"


def _encoded(query: QueryDict, **changed: str) -> str:
    """Return a query with some values changed, or taken out where they are empty.

    A change of the question goes back to its first page; a new time takes the place of the old.
    """
    kept = query.copy()
    gone: tuple[str, ...] = () if changed.keys() & {*_BESIDE} else ("page",)
    if changed.keys() & {*_SPAN}:
        gone = (*_SPAN, "page")
    for name in (*gone, *changed):
        kept.pop(name, None)
    for name in [name for name in kept if not any(kept.getlist(name))]:
        kept.pop(name)
    for name, value in changed.items():
        if value:
            kept[name] = value
    return kept.urlencode()
