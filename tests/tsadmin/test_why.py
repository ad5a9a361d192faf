"""Why is an address blocked? Asked at a terminal."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from policies.models import Policy
from policies.services import refresh_policy
from policies.states import Role
from tests.factories import make_device, make_policy, publish
from tests.tsadmin.conftest import Tsadmin

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def policy(now: datetime) -> Policy:
    policy = make_policy(now=now, name="edge", block=["9.1.1.1", "5.6.0.0/16"], allow=["5.6.7.8"])
    make_device(policy=policy, now=now, nickname="fmc")
    publish(policy, now=now)
    return policy


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_blocked_address_is_told_with_its_line_and_its_devices(
    tsadmin: Tsadmin, policy: Policy
) -> None:
    shown = words(tsadmin("why", "5.6.1.2").stdout)
    name = policy.sources.get(policy_sources__role=Role.BLOCK).name
    assert shown.startswith(
        "5.6.1.2: blocked. It is blocked by the only policy, on the only device. "
        "Policy edge: blocked, snapshot 1 "
    )
    assert f"{name} block 5.6.0.0/16 2 2026-11-21 12:00 2026-11-21 12:00" in shown
    assert "fmc blocked edge 1" in shown


def test_what_keeps_an_address_out_is_told(tsadmin: Tsadmin, policy: Policy) -> None:
    shown = words(tsadmin("why", "5.6.7.8").stdout)
    name = policy.sources.get(policy_sources__role=Role.ALLOW).name
    assert "5.6.7.8: not blocked. No policy blocks 5.6.7.8." in shown
    assert f"Kept out by allowed: {name}: 5.6.7.8 (line 1)" in shown


def test_a_past_moment_and_what_was_listed_once_are_told(
    tsadmin: Tsadmin, policy: Policy, now: datetime
) -> None:
    sources = policy.sources.filter(policy_sources__role=Role.BLOCK)
    sources.update(settings={"entries": ["9.1.1.1"]}, shrink_limit=100)
    refresh_policy(policy=policy, clock=lambda: now + HOUR, accept_change=True)
    assert "5.6.0.0/16 2026-11-21 12:00 2026-11-21 13:00 was listed" in words(
        tsadmin("why", "5.6.1.2").stdout
    )
    past = words(tsadmin("why", "5.6.1.2", "--at", "2026-11-21T12:30").stdout)
    assert "5.6.1.2: blocked at 2026-11-21 12:30:00 UTC. It was blocked by the only" in past
    assert "no pull of that time is kept" in past


def test_an_answer_for_programs_holds_the_same(tsadmin: Tsadmin, policy: Policy) -> None:
    found = tsadmin("why", "5.6.7.0/24", "--json").json
    assert (found["address"], found["blocked"], found["at"]) == ("5.6.7.0/24", "partly", None)
    (told,) = found["policies"]
    block, allow = told["lists"]
    assert [entry["entry"] for entry in block["entries"]] == ["5.6.0.0/16"]
    assert [entry["entry"] for entry in allow["inside_first"]] == ["5.6.7.8"]
    assert [cut["reason"] for cut in told["cuts"]] == ["allowed"]
    assert [(one["device"], one["blocked"]) for one in found["devices"]] == [("fmc", "partly")]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(["example.net"], "host name"), (["1.2.3.4", "--at", "then"], "'then' is no moment")],
)
def test_a_question_that_means_nothing_is_misuse(
    arguments: list[str], reason: str, tsadmin: Tsadmin
) -> None:
    answer = tsadmin("why", *arguments)
    assert (answer.code, reason in answer.error) == (2, True)
