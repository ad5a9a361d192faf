"""What a snapshot and a candidate say alike: numbers, cuts and the lists they came from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from policies.models import Policy, Snapshot
from policies.reports.difference import Compiled
from policies.words import NOTHING, addresses, count, table, word


def gained(compiled: Compiled) -> str:
    """Return the addresses it blocks that the one before did not."""
    return f"+{addresses(compiled.numbers['added'])}"


def lost(compiled: Compiled) -> str:
    """Return the addresses that the one before blocked."""
    return f"\N{MINUS SIGN}{addresses(compiled.numbers['removed'])}"


def standing(policy: Policy, snapshot: Snapshot) -> SafeString:
    """Return what a snapshot is to its policy, as a word."""
    if snapshot.pk == policy.pinned_id:
        return word("warning", "pinned")
    if snapshot.pk == policy.current_id:
        return word("success", "current")
    return word("neutral", "earlier")


def numbers_table(compiled: Compiled) -> SafeString:
    """Return how much is in each list, and the difference to the one before."""
    titles = {
        "block": "Block list",
        "allow": "Allow list",
        "added": "Gained against the one before",
        "removed": "Lost against the one before",
    }
    return table(
        ("", "Addresses", "Prefixes"),
        (
            (title, addresses(compiled.numbers[key]), count(compiled.numbers[key]["prefixes"]))
            for key, title in titles.items()
            if key in compiled.numbers
        ),
        empty="",
    )


def cuts_table(compiled: Compiled) -> SafeString:
    """Return what was taken out of the block list, and because of what, one by one."""
    return table(
        ("Because", "Of what", "Addresses"),
        _cut_rows(compiled),
        empty="Nothing had to be taken out.",
    )


def _cut_rows(compiled: Compiled) -> Iterator[tuple[object, ...]]:
    for reason, number in compiled.cuts:
        items = [one for one in compiled.cut_items if one[0] == reason]
        if number:
            yield (reason, "" if items else NOTHING, count(number))
        for _, label, addresses_cut in items:
            yield ("", label, count(addresses_cut))


def manifest_table(compiled: Compiled) -> SafeString:
    """Return the lists it was compiled from."""
    return table(
        ("List", "As", "Priority", "Retrieved", "Entries", "Unreadable", "Digest"),
        (
            (
                _source(one),
                one["role"],
                one.get("priority", ""),
                _moment(str(one.get("retrieved_at", ""))),
                count(one.get("count")),
                count(one.get("skipped")),
                format_html('<code title="{}">{}…</code>', one["digest"], one["digest"][:12]),
            )
            for one in compiled.sources
        ),
        empty="It was compiled from no list.",
    )


def _source(entry: dict[str, Any]) -> SafeString:
    """Return a link by the id that was kept; that of a source which is gone says so."""
    if not entry.get("source"):
        return format_html("{}", entry["name"])
    url = reverse("admin:policies_source_change", args=[entry["source"]])
    return format_html('<a class="text-link" href="{}">{}</a>', url, entry["name"])


def _moment(text: str) -> SafeString:
    if not text:
        return format_html("{}", NOTHING)
    return format_html("<time>{} UTC</time>", f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}")
