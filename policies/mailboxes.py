"""Addresses that mail can be written to."""

from __future__ import annotations

from django.core.mail.message import sanitize_address
from django.core.validators import validate_email


def check_mailbox(text: str) -> None:
    """Raise ValidationError or ValueError where no mail can be written to an address."""
    validate_email(text)
    # A domain in other letters than a-z may have no xn-- form, which no pattern tells.
    sanitize_address(text, "utf-8")
