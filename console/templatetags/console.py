"""How templates say things: the same words as the lists."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.safestring import SafeString

from policies import words
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
