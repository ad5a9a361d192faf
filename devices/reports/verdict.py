"""The answer to "why" in words, the same on a page and in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from devices.reports.why import DeviceAnswer, Why
from netsets.lookup import Extent
from policies.reports.listed import ListAnswer, ListedEntry
from policies.states import Tone

WORDS: dict[Extent, tuple[Tone, str]] = {
    "wholly": ("danger", "blocked"),
    "partly": ("warning", "partly blocked"),
    "not": ("neutral", "not blocked"),
}


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One line of a table of entries."""

    answer: ListAnswer
    entry: ListedEntry | None
    note: str


def sentence(answer: Why) -> str:
    """Return the whole answer in one or two sentences."""
    asked, is_past = answer.span, answer.at is not None
    verb = "was" if is_past else "is"
    troubled = sum(1 for one in answer.policies if one.trouble)
    unknown = f" {_of(troubled, len(answer.policies), 'policy', 'policies')} cannot tell."
    blocking = len(answer.blocking)
    if not blocking:
        said = f"No policy {'blocked' if is_past else 'blocks'} {asked}."
    else:
        subject = "A part of it" if answer.blocked == "partly" else "It"
        count = _of(blocking, len(answer.policies), "policy", "policies")
        said = f"{subject} {verb} blocked by {count}{_on_devices(answer)}."
    return said + (unknown if troubled else "")


def rows_of(lists: Iterable[ListAnswer]) -> Iterator[EntryRow]:
    """Yield what lists say, an entry a row."""
    for one in lists:
        found = list(_rows(one))
        yield from found or [EntryRow(one, None, "its entries are not kept as written")]


def _rows(one: ListAnswer) -> Iterator[EntryRow]:
    if one.trouble:
        yield EntryRow(one, None, one.trouble)
    yield from (EntryRow(one, entry, "") for entry in one.entries)
    yield from (EntryRow(one, entry, "holds a part of it") for entry in one.crossing)
    yield from (EntryRow(one, entry, "lies inside it") for entry in one.inside_first)
    more = one.inside - len(one.inside_first)
    if more > 0:
        yield EntryRow(one, None, f"{more:,} more {'lie' if more > 1 else 'lies'} inside it")
    yield from (EntryRow(one, entry, "was listed") for entry in one.gone)


def device_note(one: DeviceAnswer) -> str:
    """Return what there is to say of a device beside the answer."""
    if one.trouble:
        return one.trouble
    if one.snapshot is None:
        return "nothing is published"
    return f"packed in {one.packing.entries:,} entries" if one.packing else ""


def seen_text(moment: datetime | None) -> str:
    """Return when an entry was seen, as it is written everywhere."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


def _on_devices(answer: Why) -> str:
    if not answer.devices:
        return ""
    blocking = sum(1 for one in answer.devices if one.blocked != "not")
    if not blocking:
        return ", on no device"
    return f", on {_of(blocking, len(answer.devices), 'device', 'devices')}"


def _of(some: int, total: int, one: str, more: str) -> str:
    if some == total == 1:
        return f"the only {one}"
    return f"{some:,} of {total:,} {one if total == 1 else more}"
