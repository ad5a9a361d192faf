"""Alarms over the API."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from policies.models import Alarm
from tests.api.conftest import error_of, signed_in

ALARMS = "/api/v1/alarms/"


@pytest.fixture
def two(db: None, now: datetime) -> tuple[Alarm, Alarm]:
    """An alarm that is open, and one that is over."""
    later = now + timedelta(hours=1)
    return (
        Alarm.objects.create(kind="stale", subject="source a", message="old", opened_at=now),
        Alarm.objects.create(
            kind="held", subject="policy b", message="/7", opened_at=now, closed_at=later
        ),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["source a", "policy b"]),
        ("?open=true", ["source a"]),
        ("?open=false", ["policy b"]),
        ("?kind=held", ["policy b"]),
        ("?subject=source a", ["source a"]),
        ("?search=/7", ["policy b"]),
        ("?severity=critical", ["policy b"]),
        ("?severity=warning", ["source a"]),
        ("?acknowledged=true", []),
        ("?acknowledged=false", ["source a", "policy b"]),
    ],
)
def test_lists_alarms_by_kind_and_whether_they_are_open(
    api: APIClient, two: tuple[Alarm, Alarm], query: str, found: list[str]
) -> None:
    shown = api.get(f"{ALARMS}{query}").json()["results"]
    assert sorted(alarm["subject"] for alarm in shown) == sorted(found)


def test_says_what_is_wrong_since_when(api: APIClient, two: tuple[Alarm, Alarm]) -> None:
    shown = api.get(f"{ALARMS}{two[0].pk}/").json()
    assert (shown["kind_label"], shown["tone"]) == ("list is stale", "warning")
    assert (shown["severity"], shown["acknowledged_at"]) == ("warning", None)
    assert shown["next_step"].startswith("Look at the source")
    assert (shown["message"], shown["is_open"], shown["closed_at"]) == ("old", True, None)


def test_who_has_seen_an_alarm_says_so_and_it_stays_open(
    api: APIClient, two: tuple[Alarm, Alarm]
) -> None:
    address = f"{ALARMS}{two[0].pk}/acknowledge/"
    shown = api.post(address, {"note": "a new disk is ordered"}).json()
    assert (shown["is_open"], shown["note"]) == (True, "a new disk is ordered")
    assert shown["acknowledged_by"] == "api:alice"
    assert [one["subject"] for one in api.get(f"{ALARMS}?acknowledged=true").json()["results"]] == [
        "source a"
    ]
    over = api.post(f"{ALARMS}{two[1].pk}/acknowledge/", {})
    assert (over.status_code, error_of(over)["code"]) == (409, "outdated")
    assert api.post(address, {"note": "x" * 501}).status_code == 400
    assert api.post(address, {"note": 7}).status_code == 400


def test_to_acknowledge_needs_the_right_to_change_alarms(
    bob: User, charlie: User, two: tuple[Alarm, Alarm]
) -> None:
    for person in (bob, charlie):
        answer = signed_in(person).post(f"{ALARMS}{two[0].pk}/acknowledge/", {})
        assert answer.status_code == 403
    assert not Alarm.objects.exclude(acknowledged_at=None).exists()


def test_alarms_are_read_only_and_not_for_everybody(
    api: APIClient, bob: User, charlie: User, two: tuple[Alarm, Alarm]
) -> None:
    assert api.post(ALARMS, {"kind": "held"}).status_code == 405
    assert api.delete(f"{ALARMS}{two[0].pk}/").status_code == 405
    assert signed_in(bob).get(ALARMS).status_code == 200
    assert signed_in(charlie).get(ALARMS).status_code == 403


def test_a_filter_that_means_nothing_is_refused(api: APIClient) -> None:
    for query in ("?open=perhaps", "?kind=red", "?colour=red", "?severity=mild"):
        assert api.get(f"{ALARMS}{query}").status_code == 400
