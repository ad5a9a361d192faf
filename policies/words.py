"""How the console says things: words with a tone, moments, numbers, links, small tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import models
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from policies.states import Tone

NOTHING = "\N{EN DASH}"
_EXACT_UP_TO = 10**12


def word(tone: Tone, text: str) -> SafeString:
    """Return a state as a word on its colour."""
    return format_html('<span class="word word-{}">{}</span>', tone, text)


def ago(moment: datetime | None, *, now: datetime, never: str = "never") -> SafeString:
    """Return a moment as "12 minutes ago" or "in 12 minutes", the exact one in its title."""
    if moment is None:
        return format_html("{}", never)
    late, early = (moment, now) if moment <= now else (now, moment)
    distance = timesince(late, early, depth=1).replace("\xa0", " ")
    if distance.startswith("0 "):
        text = "just now"
    else:
        text = f"{distance} ago" if moment <= now else f"in {distance}"
    return format_html('<time title="{} UTC">{}</time>', f"{moment:%Y-%m-%d %H:%M:%S}", text)


def link(target: models.Model | None, text: str = "") -> SafeString:
    """Return a link to the page of a row; a dash where there is none."""
    if target is None:
        return format_html("{}", NOTHING)
    meta = target._meta  # noqa: SLF001  Django's documented way
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[target.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', url, text or str(target))


def count(number: int | None) -> str:
    """Return a number with its thousands apart; a dash where there is none."""
    return NOTHING if number is None else f"{number:,}"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> SafeString:
    """Return a table for a page; `empty` stands in its place when there are no rows."""
    body = format_html_join(
        "", "<tr>{}</tr>", ((format_html_join("", "<td>{}</td>", ((c,) for c in r)),) for r in rows)
    )
    if not body:
        return format_html('<p class="quiet">{}</p>', empty)
    titles = format_html_join("", '<th scope="col">{}</th>', ((header,) for header in headers))
    head = format_html("<thead><tr>{}</tr></thead>", titles) if any(headers) else ""
    return format_html('<table class="rows">{}<tbody>{}</tbody></table>', head, body)


def addresses(numbers: dict[str, int]) -> str:
    """Return how many addresses of both families there are, huge numbers as powers of two."""
    four, six = numbers.get("addresses4", 0), numbers.get("addresses6", 0)
    if six > _EXACT_UP_TO:
        return f"{four:,} IPv4, about 2^{six.bit_length() - 1} IPv6"
    return f"{four:,} IPv4, {six:,} IPv6"


def said(value: object) -> str:
    """Return a stored setting as a person reads it."""
    if value is None or value in ("", [], ()):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shortened(text: str, *, most: int = 120) -> str:
    """Return a text for one line of a list."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
