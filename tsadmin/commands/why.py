"""why: is an address blocked, where, and because of what?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from devices.reports.question import Question, QuestionRefused
from devices.reports.verdict import WORDS, EntryRow, device_note, rows_of, seen_text, sentence
from devices.reports.why import DeviceAnswer, PolicyAnswer, Why, why
from policies.models import Snapshot
from policies.reports.cuts import CutAnswer
from policies.reports.listed import ListAnswer, ListedEntry
from tsadmin.errors import Misused
from tsadmin.screen import print_csv, print_json, print_line, print_table

Json = dict[str, object]

_ENTRY = ("List", "As", "Entry", "Line", "First seen", "Last seen", "Note")
COLUMNS = ("About", "Name", "Answer", "Snapshot", *_ENTRY)
_NO_ENTRY = ("",) * (len(_ENTRY) - 1)


def print_why(*, address: str, at: str, now: datetime, as_csv: bool, as_json: bool) -> None:
    """Print everything known about some addresses."""
    try:
        asked = Question.read(address=address, at=at, now=now)
    except QuestionRefused as refused:
        raise Misused(str(refused)) from refused
    answer = why(span=asked.span, at=asked.at)
    if as_json:
        print_json(_json(answer))
    elif as_csv:
        print_csv(COLUMNS, _csv_rows(answer))
    else:
        _print(answer)


def _print(answer: Why) -> None:
    tone, word = WORDS[answer.blocked]
    moment = f" at {answer.at:%Y-%m-%d %H:%M:%S} UTC" if answer.at else ""
    print_line(f"{answer.span}: {word}{moment}. {sentence(answer)}", tone=tone)
    for one in answer.policies:
        if one.blocked != "not" or one.lists or one.trouble:
            _print_policy(one)
    if answer.other_lists:
        print_line("")
        print_line("Lists that are not part of what is published:")
        _print_entries(rows_of(answer.other_lists))
    if answer.devices:
        print_line("")
        headings = ("Device", "Answer", "Policy", "Snapshot", "")
        print_table(headings, [_device_row(one) for one in answer.devices])


def _csv_rows(answer: Why) -> list[tuple[str, ...]]:
    """Return a row for each entry of each policy and of other lists, and for each device."""
    rows: list[tuple[str, ...]] = []
    for one in answer.policies:
        word = "cannot tell" if one.trouble else WORDS[one.blocked][1]
        head = ("policy", str(one.policy), word, str(one.snapshot.number) if one.snapshot else "")
        cuts = "; ".join(f"kept out by {_cut_text(cut)}" for cut in one.cuts)
        said = "; ".join(filter(None, (one.trouble, cuts)))
        entries = [(*head, *_entry_row(row)) for row in rows_of(one.lists)]
        rows += entries or [(*head, *_NO_ENTRY, said)]
    rows += [
        ("list", row.answer.name, "", "", *_entry_row(row)) for row in rows_of(answer.other_lists)
    ]
    for device in answer.devices:
        name, word, _, snapshot, note = _device_row(device)
        rows.append(("device", name, word, snapshot, *_NO_ENTRY, note))
    return rows


def _print_policy(one: PolicyAnswer) -> None:
    print_line("")
    word = "cannot tell" if one.trouble else WORDS[one.blocked][1]
    number = f", snapshot {one.snapshot.number}" if one.snapshot else ""
    print_line(f"Policy {one.policy}: {word}{number}")
    if one.trouble:
        print_line(one.trouble)
    for cut in one.cuts:
        print_line(f"Kept out by {_cut_text(cut)}")
    _print_entries(rows_of(one.lists))


def _print_entries(rows: Iterable[EntryRow]) -> None:
    lines = [_entry_row(row) for row in rows]
    if lines:
        print_table(("List", "As", "Entry", "Line", "First seen", "Last seen", ""), lines)


def _entry_row(row: EntryRow) -> tuple[str, ...]:
    head = (row.answer.name, str(row.answer.role or ""))
    if row.entry is None:
        return (*head, "", "", "", "", row.note)
    entry = row.entry
    gone = "" if entry.is_listed or row.note == "was listed" else "has gone since"
    seen = (seen_text(entry.first_seen), seen_text(entry.last_seen))
    return (*head, entry.text, str(entry.line or ""), *seen, row.note or gone)


def _device_row(one: DeviceAnswer) -> tuple[str, ...]:
    word = "cannot tell" if one.trouble else WORDS[one.blocked][1]
    snapshot = str(one.snapshot.number) if one.snapshot else ""
    return (str(one.device), word, str(one.device.policy), snapshot, device_note(one))


def _cut_text(cut: CutAnswer) -> str:
    entries = ", ".join(
        f"{entry.text} (line {entry.line})" if entry.line else entry.text for entry in cut.entries
    )
    return f"{cut.reason}: {cut.label}{f': {entries}' if entries else ''}"


def _json(answer: Why) -> Json:
    return {
        "address": str(answer.span),
        "at": answer.at,
        "blocked": answer.blocked,
        "policies": [_policy_json(one) for one in answer.policies],
        "devices": [_device_json(one) for one in answer.devices],
        "other_lists": [_list_json(one) for one in answer.other_lists],
    }


def _policy_json(one: PolicyAnswer) -> Json:
    return {
        "policy": one.policy.name,
        "blocked": one.blocked,
        "allowed": one.allowed,
        "snapshot": _snapshot_json(one.snapshot),
        "lists": [_list_json(each) for each in one.lists],
        "cuts": [
            {"reason": cut.reason, "label": cut.label, "entries": _entries_json(cut.entries)}
            for cut in one.cuts
        ],
        "trouble": one.trouble,
    }


def _device_json(one: DeviceAnswer) -> Json:
    return {
        "device": str(one.device),
        "policy": str(one.device.policy),
        "blocked": one.blocked,
        "snapshot": _snapshot_json(one.snapshot),
        "is_packed": one.packing is not None,
        "trouble": one.trouble,
    }


def _list_json(one: ListAnswer) -> Json:
    return {
        "list": one.name,
        "role": str(one.role) if one.role else None,
        "extent": one.extent,
        "entries": _entries_json(one.entries),
        "crossing": _entries_json(one.crossing),
        "inside": one.inside,
        "inside_first": _entries_json(one.inside_first),
        "gone": _entries_json(one.gone),
        "trouble": one.trouble,
    }


def _entries_json(entries: Iterable[ListedEntry]) -> list[Json]:
    return [
        {
            "entry": one.text,
            "line": one.line,
            "first_seen": one.first_seen,
            "last_seen": one.last_seen,
            "is_listed": one.is_listed,
        }
        for one in entries
    ]


def _snapshot_json(snapshot: Snapshot | None) -> Json | None:
    if snapshot is None:
        return None
    return {"number": snapshot.number, "published_at": snapshot.created_at}
