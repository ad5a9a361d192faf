"""update, plan, apply, check, pause and resume, by an enforcer that has no kernel."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from devices.models import Device, Gateway
from enforcement.models import Inquiry, Outcome
from enforcement.services.inquiries import OPEN_MOST
from policies.models import Change, Policy
from tests.factories import make_device, make_gateway, make_policy, publish, republish
from tests.tsadmin.conftest import Tsadmin
from tests.tsadmin.enforcer import PLAN, Enforcer

pytestmark = pytest.mark.django_db
NOT_THERE = "'make run' as root"


@pytest.fixture
def policy(now: datetime) -> Policy:
    """A policy with two snapshots."""
    policy = make_policy(now=now, name="edge-block", block=["5.6.0.0/24", "7.7.7.7"])
    publish(policy, now=now)
    republish(policy, "5.6.0.0/24", "8.1.1.0/31", now=now + timedelta(hours=1))
    return policy


@pytest.fixture
def gw(policy: Policy, enforcer: Enforcer, now: datetime) -> str:
    """A gateway that nothing is enforced on yet."""
    return make_gateway(policy=policy, now=now, nickname="gw", node="gw1").nickname


@pytest.fixture
def by_hand(policy: Policy, enforcer: Enforcer, now: datetime) -> str:
    """A gateway that only a person moves on."""
    settings = {"nickname": "gw", "node": "gw1", "policy_updates": "no"}
    return make_gateway(policy=policy, now=now, **settings).nickname


# update


def test_update_has_what_is_published_enforced_and_tells_what_was_done(
    tsadmin: Tsadmin, gw: str
) -> None:
    answer = tsadmin("update", gw)
    assert answer.code == 0, answer.stderr
    done, in_force = answer.stdout.splitlines()[-2:]
    assert done.endswith(
        " UTC: applied, snapshot 2, by difference, block entries +2 -1, 3 connections cut, 0.2 s."
    )
    assert in_force == "In force on gw1: snapshot 2, 2 entries."
    assert "wait for the enforcer of gw1 …" in answer.stderr


def test_a_second_update_finds_nothing_to_do_and_does_not_wait(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer
) -> None:
    tsadmin("update", gw)
    enforcer.is_running = False
    answer = tsadmin("update", gw)
    assert answer.code == 0, answer.stderr
    assert "Nothing to do on gw1: snapshot 2 is in force, 2 entries." in answer.stdout


def test_update_as_json_tells_the_enforcement(tsadmin: Tsadmin, gw: str) -> None:
    found = tsadmin("update", gw, "--json").json
    assert (found["error"], found["urls"]) == ("", None)
    told = found["enforcement"]
    assert (told["state"], told["snapshot_number"], told["error"]) == ("enforced", 2, "")
    (one,) = told["applications"]
    assert (one["outcome"], one["way"], one["added"], one["cut"]) == ("applied", "difference", 2, 3)


def test_a_device_that_pulls_is_not_enforced(tsadmin: Tsadmin, policy: Policy) -> None:
    make_device(policy=policy, now=timezone.now(), nickname="fmc")
    found = tsadmin("update", "fmc", "--json").json
    assert found["enforcement"] is None
    assert set(found["urls"]) == {"block", "allow"}


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.REFUSED])
@pytest.mark.parametrize("command", [("update",), ("apply", "--yes")])
def test_what_could_not_be_enforced_is_a_failure_with_the_reason(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer, outcome: Outcome, command: tuple[str, ...]
) -> None:
    enforcer.outcome, enforcer.detail = outcome, "192.0.2.1 does not answer any more."
    answer = tsadmin(*command, gw)
    assert (answer.code, answer.error) == (1, "192.0.2.1 does not answer any more.")
    assert f"{outcome.label}, snapshot 2" in answer.stdout
    again = tsadmin(*command, gw, "--json")
    assert again.code == 1
    assert again.json["enforcement"]["error"].startswith(answer.error)


def test_update_does_not_try_again_what_was_rolled_back_and_apply_does(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer
) -> None:
    enforcer.outcome, enforcer.detail = Outcome.ROLLED_BACK, "192.0.2.1 was lost."
    tsadmin("update", gw)
    enforcer.outcome = Outcome.APPLIED
    answer = tsadmin("update", gw)
    assert answer.error == "192.0.2.1 was lost. To try it again: tsadmin apply gw"
    assert tsadmin("apply", gw, "--yes").code == 0
    assert tsadmin("update", gw).code == 0


@pytest.mark.parametrize(
    "command",
    [
        ("update", "gw"),
        ("apply", "gw", "--yes"),
        ("plan", "gw"),
        ("check", "gw"),
        ("pause", "gw", "--for", "2h"),
        ("demo", "--type", "iptables"),
    ],
)
def test_an_enforcer_that_does_not_answer_is_a_failure_that_says_where_it_runs(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer, command: tuple[str, ...]
) -> None:
    enforcer.is_running = False
    answer = tsadmin(*command)
    assert answer.code == 1
    assert NOT_THERE in answer.error


def test_update_with_updates_off_retrieves_and_leaves_the_rest_to_a_person(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer
) -> None:
    tsadmin("update", gw)
    tsadmin("configure", gw, "--policy_updates", "no")
    republish(Policy.objects.get(), "9.9.9.0/24", now=timezone.now())
    answer = tsadmin("update", gw)
    assert answer.code == 0, answer.stderr
    assert "tsadmin plan gw" in answer.stderr
    assert Gateway.objects.get().snapshot_number == 2
    enforcer.plan = replace(PLAN, snapshot=3)
    assert "In force on gw1: snapshot 3" in tsadmin("apply", gw, "--yes").stdout
    pinned = Device.objects.get().pinned_snapshot
    assert pinned is not None
    assert pinned.number == 3


# plan


def test_plan_prints_what_comes_and_goes_and_what_it_takes(tsadmin: Tsadmin, gw: str) -> None:
    answer = tsadmin("plan", gw)
    assert answer.code == 0, answer.stderr
    assert answer.stdout.splitlines() == [
        "edge-block #2 on gw1: +1,204 -37",
        "In force      : snapshot 1",
        "Allow list    : +1 -0",
        "Entries       : 48,210 when it is done",
        "Memory needed : 1.2 MB on top of what is held",
        "Way           : entries are added to the live sets and taken from them",
        "Canaries      : 192.0.2.1, 192.0.2.53:53",
        "+198.51.100.7",
        "+203.0.113.0/24",
        "+ and 1,202 more",
        "-192.0.2.9",
        "- and 36 more",
    ]
    assert "tsadmin apply gw" in answer.stderr


def test_plan_tells_the_rules_that_change_and_what_it_costs(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer
) -> None:
    enforcer.plan = replace(
        PLAN, in_force=None, way="replace", rules=["Hooked.", "Logged."], cost="About 11 s."
    )
    lines = tsadmin("plan", gw).stdout.splitlines()
    assert "In force      : nothing" in lines
    assert [line for line in lines if line.startswith(("Rules", "Cost"))] == [
        "Rules         : Hooked.",
        "Rules         : Logged.",
        "Cost          : About 11 s.",
    ]


def test_plan_says_where_there_is_nothing_to_do(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer
) -> None:
    enforcer.plan = replace(PLAN, way="nothing", added=0, removed=0)
    for command in (("plan", gw), ("apply", gw, "--yes")):
        answer = tsadmin(*command)
        assert (answer.code, answer.stdout) == (
            0,
            "Nothing to do: edge-block #2 is in force on gw1.\n",
        )
    assert tsadmin("apply", gw, "--yes", "--json").json["enforcement"] is None


def test_plan_as_json_holds_the_same(tsadmin: Tsadmin, gw: str) -> None:
    answer = tsadmin("plan", gw, "--json")
    assert (answer.code, answer.stderr) == (0, "")
    assert answer.json == {"name": gw, "plan": {**PLAN.json(), "changes_nothing": False}}


def test_an_enforcer_that_cannot_tell_says_why(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer
) -> None:
    enforcer.refusal = "nothing is published for gw yet: tsadmin update gw"
    for command in (("plan", gw), ("check", gw), ("apply", gw, "--yes")):
        answer = tsadmin(*command)
        assert (answer.code, answer.error) == (1, enforcer.refusal)


@pytest.mark.parametrize(
    "command",
    [("plan",), ("apply", "--yes"), ("check",), ("pause", "--for", "1h"), ("resume",)],
)
def test_a_device_that_pulls_has_no_kernel(
    tsadmin: Tsadmin, policy: Policy, enforcer: Enforcer, command: tuple[str, ...]
) -> None:
    make_device(policy=policy, now=timezone.now(), nickname="fmc")
    answer = tsadmin(*command, "fmc")
    assert answer.code == 1
    assert answer.error.startswith("fmc is no gateway")


def test_more_questions_than_anybody_answers_are_refused(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer
) -> None:
    enforcer.is_running = False
    for _ in range(OPEN_MOST):
        tsadmin("plan", gw)
    assert "questions wait for the enforcer of gw1" in tsadmin("plan", gw).error
    assert Inquiry.objects.count() == OPEN_MOST


# apply


def test_apply_shows_the_plan_and_then_what_was_done(tsadmin: Tsadmin, by_hand: str) -> None:
    answer = tsadmin("apply", by_hand, "--yes")
    assert answer.code == 0, answer.stderr
    assert answer.stdout.startswith("edge-block #2 on gw1: +1,204 -37\n")
    assert answer.stdout.endswith("In force on gw1: snapshot 2, 2 entries.\n")
    assert Change.objects.get(verb="apply").subject == "device gw"


def test_apply_as_json_holds_the_plan_and_what_was_done(tsadmin: Tsadmin, gw: str) -> None:
    found = tsadmin("apply", gw, "--yes", "--json").json
    assert (found["name"], found["plan"]["added"]) == (gw, 1204)
    assert found["enforcement"]["state"] == "enforced"


def test_apply_asks_first(tsadmin: Tsadmin, gw: str) -> None:
    answer = tsadmin("apply", gw)
    assert (answer.code, "--yes" in answer.error) == (2, True)
    assert Gateway.objects.get().snapshot_number is None


def test_apply_does_not_enforce_another_snapshot_than_the_one_that_was_planned(
    tsadmin: Tsadmin, by_hand: str, enforcer: Enforcer
) -> None:
    enforcer.plan = replace(PLAN, label="edge-block #1", snapshot=1)
    answer = tsadmin("apply", by_hand, "--yes")
    assert (answer.code, "is the newest by now, not 1" in answer.error) == (1, True)
    assert Gateway.objects.get().snapshot_number is None


# check


def test_check_prints_each_step_and_the_sentence(tsadmin: Tsadmin, gw: str) -> None:
    answer = tsadmin("check", gw)
    assert answer.code == 0, answer.stderr
    heading, sets, listed, log, sentence = answer.stdout.splitlines()
    assert heading.split("  ")[0] == "Step"
    assert " ".join(sets.split()) == "sets ok 8 sets hold what snapshot 1 says."
    assert "ok" in listed
    assert "could not be told" in log
    assert sentence == "198.51.100.7 is dropped and 192.0.2.1 is not."


def test_a_check_that_fails_answers_1_with_the_sentence_and_shows_its_steps(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer
) -> None:
    (first, *rest) = enforcer.check.steps
    steps = [replace(first, ok=False, seen="TSblocknet is not there."), *rest]
    enforcer.check = replace(enforcer.check, ok=False, sentence="It is not blocked.", steps=steps)
    answer = tsadmin("check", gw)
    assert (answer.code, answer.error) == (1, "It is not blocked.")
    assert "not ok" in answer.stdout
    assert "It is not blocked." not in answer.stdout
    again = tsadmin("check", gw, "--json")
    assert (again.code, again.json["ok"], again.json["steps"][0]["ok"]) == (1, False, False)


def test_check_tries_the_address_that_is_given(
    tsadmin: Tsadmin, gw: str, enforcer: Enforcer
) -> None:
    tsadmin("check", gw, "--address", "2001:DB8::7")
    tsadmin("check", gw)
    assert enforcer.asked == [{"address": "2001:db8::7"}, {}]


def test_check_takes_an_address_and_nothing_else(tsadmin: Tsadmin, gw: str) -> None:
    answer = tsadmin("check", gw, "--address", "bad.example")
    assert (answer.code, answer.error.startswith("--address 'bad.example'")) == (2, True)


# pause and resume


def test_pause_tells_until_when_and_resume_ends_it(tsadmin: Tsadmin, gw: str) -> None:
    before = timezone.now()
    answer = tsadmin("pause", gw, "--for", "2h")
    assert answer.code == 0, answer.stderr
    until = Gateway.objects.get().paused_until
    assert until is not None
    assert timedelta(hours=2, seconds=-1) <= until - before < timedelta(hours=2, minutes=1)
    shown = f"Paused on gw1: listed packets pass until {until:%Y-%m-%d %H:%M:%S} UTC."
    assert answer.stdout.splitlines()[-1] == shown
    assert "tsadmin resume gw" in answer.stderr
    assert "enforcement paused" in tsadmin("show", gw).stdout
    resumed = tsadmin("resume", gw)
    assert resumed.stdout.splitlines()[-1] == "In force on gw1: snapshot 2, 2 entries."
    assert tsadmin("resume", gw).stdout == "gw was not paused.\n"


def test_pause_and_resume_as_json(tsadmin: Tsadmin, gw: str) -> None:
    until = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)
    found = tsadmin("pause", gw, "--until", f"{until:%Y-%m-%d %H:%M}", "--json").json
    assert datetime.fromisoformat(found["paused_until"]) == until
    assert found["enforcement"]["state"] == "paused"
    assert tsadmin("resume", gw, "--json").json["was_paused"] is True
    assert tsadmin("resume", gw, "--json").json == {
        "name": gw,
        "was_paused": False,
        "enforcement": None,
    }


@pytest.mark.parametrize(
    ("flags", "code", "reason"),
    [
        ((), 2, "say how long"),
        (("--for", "1h", "--until", "2026-11-26 08:00"), 2, "one of them"),
        (("--for", "soon"), 2, "--for 'soon' is not accepted"),
        (("--for", "0h"), 2, "--for '0h' is not accepted"),
        (("--until", "tomorrow"), 2, "--until 'tomorrow' is not accepted"),
        (("--until", "2001-01-01 00:00"), 1, "later than now"),
        (("--for", "8d"), 1, "within 7 days"),
        (("--for", "99999d"), 1, "within 7 days"),
    ],
)
def test_a_pause_needs_one_end_that_lies_ahead(
    tsadmin: Tsadmin, gw: str, flags: tuple[str, ...], code: int, reason: str
) -> None:
    answer = tsadmin("pause", gw, *flags)
    assert (answer.code, reason in answer.error) == (code, True), answer.error
    assert Gateway.objects.get().paused_until is None


def test_a_pause_of_what_is_not_enforced_yet_waits_for_nobody(
    tsadmin: Tsadmin, enforcer: Enforcer, now: datetime
) -> None:
    enforcer.is_running = False
    make_gateway(now=now, nickname="new")
    answer = tsadmin("pause", "new", "--for", "1h")
    assert answer.code == 0, answer.stderr
    assert answer.stdout == "Nothing is published for new: nothing is enforced there yet.\n"
