"""What changed between two snapshots? Asked at a terminal."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.files.storage import storages

from policies.models import Policy
from policies.states import Role
from tests.factories import make_device, make_policy, publish, republish
from tests.tsadmin.conftest import Tsadmin

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def policy(now: datetime) -> Policy:
    """A policy with three snapshots, followed by a device."""
    policy = make_policy(now=now, name="edge", block=["5.6.0.0/24", "7.7.7.7"], allow=["5.6.0.1"])
    make_device(policy=policy, now=now, nickname="fmc")
    publish(policy, now=now)
    republish(policy, "5.6.0.0/24", "8.1.1.0/31", now=now + HOUR)
    republish(policy, "5.6.0.0/24", "8.1.1.0/31", "8.2.2.2", now=now + 2 * HOUR)
    return policy


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_last_change_is_told_with_its_cause(tsadmin: Tsadmin, policy: Policy) -> None:
    name = policy.sources.get(policy_sources__role=Role.BLOCK).name
    shown = words(tsadmin("diff", "edge").stdout)
    assert shown.startswith(
        "From edge #2 to edge #3: Added Removed block list 1 IPv4, 0 IPv6, in 1"
    )
    assert f"{name} block 1 IPv4, 0 IPv6, in 1 prefix nothing" in shown
    assert shown.endswith("+8.2.2.2")
    assert words(tsadmin("diff", "fmc").stdout) == shown


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["1"], ["+8.1.1.0/31", "+8.2.2.2", "-7.7.7.7"]),
        (["1", "2"], ["+8.1.1.0/31", "-7.7.7.7"]),
        (["3", "2"], ["-8.2.2.2"]),
        (["1", "3", "--allow"], []),
    ],
    ids=str,
)
def test_any_two_snapshots_are_compared(
    arguments: list[str], lines: list[str], tsadmin: Tsadmin, policy: Policy
) -> None:
    assert tsadmin("diff", "edge", *arguments, "--all").stdout.splitlines() == lines


def test_many_prefixes_are_no_wall_of_text(tsadmin: Tsadmin, policy: Policy, now: datetime) -> None:
    republish(policy, "5.6.0.0/24", *(f"9.1.{n}.1" for n in range(50)), now=now + 3 * HOUR)
    answer = tsadmin("diff", "edge")
    assert sum(line.startswith("+") for line in answer.stdout.splitlines()) == 20
    assert "32 more prefixes; --all prints them all." in answer.stderr
    assert len(tsadmin("diff", "edge", "--all").stdout.splitlines()) == 52


def test_what_the_guard_holds_is_compared_with_what_is_in_force(
    tsadmin: Tsadmin, policy: Policy, now: datetime
) -> None:
    assert "holds nothing" in tsadmin("diff", "edge", "3", "candidate").error
    republish(policy, "5.6.0.0/24", "14.0.0.0/7", now=now + 3 * HOUR)
    found = tsadmin("diff", "edge", "1", "candidate", "--json").json
    assert (found["from"], found["to"]) == (1, "candidate")
    assert found["prefixes"] == ["+14.0.0.0/7", "-7.7.7.7"]
    (cause,) = found["causes"]
    assert (cause["added"]["prefixes"], cause["removed"]["addresses4"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["nobody"], 1, "no device and no policy is named nobody; policies are: edge"),
        (["edge", "9"], 1, "snapshot 9 of policy edge is not kept; the newest are: 3, 2, 1"),
        (["edge", "one"], 2, "one is no number of a snapshot"),
        (["edge", "", "1"], 1, "no snapshot of policy edge is kept to compare with"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    arguments: list[str], code: int, reason: str, tsadmin: Tsadmin, policy: Policy
) -> None:
    answer = tsadmin("diff", *arguments)
    assert (answer.code, answer.error) == (code, reason)


def test_a_policy_without_a_snapshot_and_a_lost_file_are_refused(
    tsadmin: Tsadmin, policy: Policy, now: datetime
) -> None:
    make_policy(now=now, name="new")
    assert tsadmin("diff", "new").error == "policy new has published nothing yet"
    assert policy.current is not None
    digest = policy.current.block_digest
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    assert tsadmin("diff", "edge").error.startswith("a list cannot be read: ")
