"""Messages for the tests of what carries them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from policies.notices.base import Message, News

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def news(
    number: int = 7,
    *,
    event: Literal["opened", "closed"] = "opened",
    severity: Literal["warning", "critical"] = "critical",
    **parts: str,
) -> News:
    """Return what is told of one firewall that stopped pulling."""
    told = {
        "kind": "stopped-pulling",
        "label": "firewall stopped pulling",
        "subject": f"device fmc-{number}",
        "message": "It pulled last 2026-11-21 08:00 UTC.",
        "next_step": "Look at the firewall.",
        "url": f"https://tscm.example.net/admin/policies/alarm/{number}/change/",
        **parts,
    }
    closed_at = NOW if event == "closed" else None
    return News(
        event=event, alarm=number, severity=severity, opened_at=NOW - 2 * HOUR,
        closed_at=closed_at, **told,
    )  # fmt: skip


def message(*told: News, is_test: bool = False) -> Message:
    """Return a message with these news."""
    return Message("msg_0123456789abcdef", "appliance-1", NOW, told, is_test=is_test)
