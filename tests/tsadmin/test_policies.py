"""candidate, snapshots, return, release."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from policies.models import Candidate, Change, Policy
from policies.services import compile_policy_now, protect_network
from policies.states import PolicyState
from tests.factories import hold, make_device, make_policy, publish, republish
from tests.tsadmin.conftest import Appliance, Tsadmin

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def held() -> Policy:
    """A policy whose growth the guard holds back."""
    return hold(now=timezone.now() - 2 * HOUR)


@pytest.fixture
def twice() -> Policy:
    """A policy with two snapshots."""
    now = timezone.now() - 2 * HOUR
    policy = make_policy(now=now, block=["5.6.0.0/24"])
    publish(policy, now=now)
    republish(policy, "5.7.0.0/24", now=now + HOUR)
    return policy


def test_says_what_is_held_and_what_to_do(tsadmin: Tsadmin, held: Policy) -> None:
    answer = tsadmin("candidate", held.name)
    first, finding, numbers, source, digest = answer.stdout.splitlines()
    assert first.startswith(f"Policy {held.name}: held by the guard since 20")
    assert finding.startswith("growth: ")
    assert numbers == "Block 70 entries, allow 0 entries; addresses blocked +3,276,800 -0."
    assert source.startswith(f"block list {held.sources.get().name}, retrieved 20")
    assert digest == f"Digest {held.candidate.block_digest[:12]}"
    assert answer.stderr == f"tsadmin candidate {held.name} --approve, or --discard.\n"


def test_is_found_by_the_device_that_follows_it(tsadmin: Tsadmin, held: Policy) -> None:
    make_device(policy=held, now=timezone.now(), nickname="fmc-1")
    assert tsadmin("candidate", "fmc-1", "--json").json["policy"] == held.name


def test_approves_what_was_looked_at(tsadmin: Tsadmin, held: Policy) -> None:
    digest = tsadmin("candidate", held.name, "--json").json["candidate"]["block_digest"]
    answer = tsadmin("candidate", held.name, "--approve", "--digest", digest[:12])
    assert answer.stdout == "Approved, and published as snapshot 2.\n"
    held.refresh_from_db()
    assert held.state == PolicyState.CURRENT
    assert Change.objects.get(verb="approve").actor.startswith("tsadmin:")
    assert tsadmin("candidate", held.name).stdout == f"The guard holds nothing of {held.name}.\n"
    again = tsadmin("candidate", held.name, "--approve", "--digest", digest)
    assert again.error == f"the guard holds nothing of {held.name}"


def test_discards_what_was_looked_at(tsadmin: Tsadmin, held: Policy) -> None:
    digest = held.candidate.block_digest
    answer = tsadmin("candidate", held.name, "--discard", "--digest", digest)
    assert answer.stdout.startswith("Discarded.")
    assert Candidate.objects.get().is_discarded


@pytest.mark.parametrize("flag", ["--approve", "--discard"])
def test_what_was_not_looked_at_is_neither_approved_nor_discarded(
    tsadmin: Tsadmin, held: Policy, flag: str
) -> None:
    digest = held.candidate.block_digest
    missing = tsadmin("candidate", held.name, flag)
    assert (missing.code, f"--digest {digest[:12]}" in missing.error) == (2, True)
    assert "look at it again" in tsadmin("candidate", held.name, flag, "--digest", "0" * 64).error
    assert "look at it again" in tsadmin("candidate", held.name, flag, "--digest", digest[:4]).error
    protect_network(network="6.2.0.1", reason="ours", actor="test", now=timezone.now())
    compile_policy_now(policy_id=held.pk, now=timezone.now())
    assert "look at it again" in tsadmin("candidate", held.name, flag, "--digest", digest).error
    assert (held.snapshots.count(), Candidate.objects.get().is_discarded) == (1, False)


def test_nobody_approves_what_breaks_an_absolute_rule(tsadmin: Tsadmin) -> None:
    policy = hold(now=timezone.now() - 2 * HOUR, more=["92.0.0.0/7"])
    assert "Nobody can approve this" in tsadmin("candidate", policy.name).stderr
    digest = policy.candidate.block_digest
    answer = tsadmin("candidate", policy.name, "--approve", "--digest", digest)
    assert (answer.code, "nobody may let this pass" in answer.error) == (1, True)


def test_approve_and_discard_exclude_each_other(tsadmin: Tsadmin) -> None:
    assert tsadmin("candidate", "x", "--approve", "--discard").code == 2


HOLD = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "tscm_site.settings"
django.setup()
from django.utils import timezone
from tests.factories import hold
print(hold(now=timezone.now()).name)
"""


@pytest.mark.parametrize("answer", ["y", "n"])
def test_at_a_terminal_it_is_shown_and_asked_for(appliance: Appliance, answer: str) -> None:
    made = subprocess.run(
        [sys.executable, "-c", HOLD],
        env=appliance.environment(),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=50,
        check=True,
    )
    name = made.stdout.strip()
    with appliance.at_terminal("candidate", name, "--approve") as terminal:
        terminal.expect("growth: ")
        terminal.expect("Publish it? (y or n) [default n] ")
        terminal.type(answer)
        if answer == "y":
            terminal.expect("published as snapshot 2")
        else:
            terminal.expect("nothing was changed")
        assert terminal.finish() == (0 if answer == "y" else 1)


def test_returns_to_a_snapshot_and_releases_the_policy(tsadmin: Tsadmin, twice: Policy) -> None:
    name = twice.name
    listed = tsadmin("snapshots", name).stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["Snapshot", "2", "1"]
    assert "current" in listed[1]
    answer = tsadmin("return", name, "1")
    assert answer.stdout == f"Returned to snapshot 1 of {name}.\n"
    assert f"tsadmin release {name}" in answer.stderr
    shown = tsadmin("snapshots", name, "--json").json
    assert (shown["state"], shown["current"], shown["pinned"]) == ("pinned", 3, 1)
    assert [one["number"] for one in shown["snapshots"]] == [3, 2, 1]
    assert shown["snapshots"][0]["note"].startswith("return to snapshot 1 by tsadmin:")
    assert "Pinned by tsadmin:" in tsadmin("snapshots", name).stderr
    assert tsadmin("release", name).stdout == f"{name} follows its sources again.\n"
    assert "is not pinned" in tsadmin("release", name).error


def test_a_pinned_policy_can_be_updated(tsadmin: Tsadmin, twice: Policy) -> None:
    make_device(policy=twice, now=timezone.now(), nickname="fmc-1")
    tsadmin("return", "fmc-1", "1")
    answer = tsadmin("update", "fmc-1")
    assert answer.code == 0, answer.stderr
    assert f"Policy {twice.name}: pinned by a person." in answer.stdout


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("return", "{}", "9"), "has no snapshot 9"),
        (("return", "{}", "9" * 30), "has no snapshot 9"),
        (("return", "nobody", "1"), "no device and no policy is named nobody"),
        (("snapshots", "../x"), "use 1 to 64 letters"),
        (("release", "{}"), "is not pinned"),
    ],
)
def test_what_cannot_be_is_one_line(
    tsadmin: Tsadmin, twice: Policy, command: tuple[str, ...], reason: str
) -> None:
    answer = tsadmin(*(word.format(twice.name) for word in command))
    assert (answer.code, reason in answer.error) == (1, True)
