"""How templates say things: the same words as the lists."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.safestring import SafeString

from policies import words
from policies.reports.difference import Counts
from policies.states import Tone

register = template.Library()


@register.simple_tag
def word(tone: Tone, text: str) -> SafeString:
    """Return a state as a word on its colour."""
    return words.word(tone, str(text))


@register.simple_tag
def ago(moment: datetime | None, now: datetime) -> SafeString:
    """Return a moment as "12 minutes ago"."""
    return words.ago(moment, now=now)


@register.filter
def thousands(number: int | None) -> str:
    """Return a number with its thousands apart."""
    return words.count(number)


@register.filter
def rate(number: float) -> str:
    """Return how many there are in a time: whole ones, of few also a part."""
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


@register.filter
def amount(counts: Counts) -> str:
    """Return how many addresses of both families there are."""
    return words.addresses({"addresses4": counts.addresses4, "addresses6": counts.addresses6})


@register.filter
def percent(share: float) -> str:
    """Return a share, 0 to 1, in percent; what is little is not called nothing."""
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"
