"""What people read: one mail says all that happened, the worst first."""

from __future__ import annotations

import pytest

from policies.notices.base import Message
from policies.notices.wording import LONGEST_SUBJECT, line_of, subject_of, text_of
from tests.policies.notices.messages import message, news

BURST = [news(n) for n in range(499)]
SUBJECTS = [
    (message(news(1)), "[TSCM appliance-1] firewall stopped pulling: device fmc-1"),
    (
        message(news(1, event="closed")),
        "[TSCM appliance-1] Over: firewall stopped pulling: device fmc-1",
    ),
    (message(*BURST), "[TSCM appliance-1] 499 alarms: 499 firewall stopped pulling"),
    (
        message(*BURST, news(900, label="list is stale"), news(901, event="closed")),
        "[TSCM appliance-1] 500 alarms: 499 firewall stopped pulling, 1 list is stale; 1 over",
    ),
    (message(news(1), news(1, event="closed")),
     "[TSCM appliance-1] Over: firewall stopped pulling: device fmc-1"),
    (message(is_test=True), "[TSCM appliance-1] A test: alarms reach this address"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "subject"), SUBJECTS)
def test_a_subject_says_what_happened_in_one_line(told: Message, subject: str) -> None:
    assert subject_of(told) == subject
    assert len(subject) <= LONGEST_SUBJECT


def test_a_mail_says_what_since_when_why_what_to_do_and_where_to_look() -> None:
    text = text_of(message(news(1)))
    for part in (
        "CRITICAL  firewall stopped pulling: device fmc-1",
        "since 2026-11-21 10:00 UTC",
        "It pulled last 2026-11-21 08:00 UTC.",
        "Next: Look at the firewall.",
        "https://tscm.example.net/admin/policies/alarm/1/change/",
        "Told by TSCM on appliance-1, 2026-11-21 12:00 UTC.",
    ):
        assert part in text


def test_a_mail_lists_every_one_of_a_burst_the_worst_first_and_then_what_is_over() -> None:
    told = [news(n, severity="warning") for n in range(10)]
    told += [news(n, event="closed") for n in range(100, 103)]
    text = text_of(message(*told, news(50)))
    assert "Open now (11)" in text
    assert "Over (3)" in text
    places = [text.index(f"device fmc-{n}\n") for n in (50, *range(10))]
    assert places == sorted(places)
    assert "fmc-100, from 2026-11-21 10:00 UTC for 2 h 0 min" in text


def test_an_alarm_that_came_and_went_before_it_was_told_is_only_over() -> None:
    text = text_of(message(news(1), news(1, event="closed")))
    assert "Open now" not in text
    assert "Over (1)" in text


def test_one_line_says_it_too() -> None:
    assert line_of(news(1)) == (
        "firewall stopped pulling: device fmc-1. It pulled last 2026-11-21 08:00 UTC."
    )
    assert line_of(news(1, event="closed")).startswith("Over: firewall stopped pulling: device")
