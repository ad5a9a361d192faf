"""Questions are rows; the enforcer of the machine answers them with what an apply would do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from devices.models import Device
from devices.services import configure_device, pause_gateway
from enforcement.kernel.base import Content, Plan, Rules, Way
from enforcement.kernel.canaries import Canary
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.memory import MemoryEnforcer
from enforcement.kernel.self_test import LOGGED
from enforcement.models import Application, Inquiry, Question
from enforcement.services import (
    CheckAnswer,
    CheckStep,
    PlanAnswer,
    TooManyQuestions,
    ask,
    due_nodes,
    prune,
    unanswered,
)
from enforcement.services.inquiries import ANSWERED_WITHIN, OPEN_MOST
from netsets.cidr import AddressSet
from policies.models import Policy
from tests.enforcement.machines import NODE, PretendedMachine
from tests.enforcement.services.site import MINUTE, fresh
from tests.factories import make_gateway, make_policy, publish, republish

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(now: datetime) -> Device:
    policy = make_policy(now=now, block=["1.2.3.4", "5.6.0.0/16"], allow=["9.9.9.9"])
    make_gateway(now=now, node=NODE, nickname="gw", policy=policy)
    publish(policy, now=now)
    return fresh()


def asked(there: PretendedMachine, question: Question, now: datetime, **options: object) -> Inquiry:
    inquiry = ask(gateway=fresh().gateway, question=question, actor="ann", now=now, options=options)
    assert due_nodes(now=now) == [NODE]
    there.work(now)
    inquiry.refresh_from_db()
    assert inquiry.answered_at == now
    return inquiry


def plan(there: PretendedMachine, now: datetime) -> PlanAnswer:
    inquiry = asked(there, Question.PLAN, now)
    assert inquiry.answer is not None, inquiry.error
    return PlanAnswer.read(inquiry.answer)


def test_the_plan_of_a_new_gateway_says_all_that_will_come(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    found = plan(there, now)
    assert (found.in_force, found.snapshot, found.way) == (None, 1, "replace")
    assert (found.added, found.removed, found.allow_added) == (2, 0, 1)
    assert (found.first_added, found.entries) == (["1.2.3.4", "5.6.0.0/16"], 3)
    assert "hooked into INPUT, FORWARD and OUTPUT" in found.rules[0]


def test_a_plan_is_what_the_apply_after_it_does(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    configure_device(device=fresh(), changes={"policy_updates": "no"}, actor="test", now=now)
    there.work(now)
    later = now + MINUTE
    republish(Policy.objects.get(), "1.2.3.4", "5.7.0.0/16", "7.7.7.7", now=later)
    found = plan(there, later)
    assert (found.in_force, found.snapshot, found.added, found.removed) == (1, 2, 2, 1)
    assert (found.first_added, found.first_removed) == (["5.7.0.0/16", "7.7.7.7"], ["5.6.0.0/16"])
    assert there.kernel.content is not None
    assert there.kernel.content.block == AddressSet.of("1.2.3.4", "5.6.0.0/16")
    configure_device(device=fresh(), changes={"policy_updates": "yes"}, actor="test", now=later)
    there.work(later)
    told = Application.objects.first()
    assert told is not None
    assert (told.added, told.removed, told.way) == (found.added, found.removed, found.way)
    assert plan(there, later).changes_nothing


def test_a_plan_names_what_changes_in_the_rules(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    changes = {"policy_updates": "no", "verdict": "reject", "log_limit": "5/minute"}
    there.refusal = EnforceUnavailable("not now")  # else the change is in force before the answer
    configure_device(device=fresh(), changes=changes, actor="test", now=now)
    pause_gateway(device=fresh(), until=now + 5 * MINUTE, actor="ann", now=now)
    inquiry = ask(gateway=fresh().gateway, question=Question.PLAN, actor="ann", now=now)
    there.work(now)
    inquiry.refresh_from_db()
    assert (inquiry.answer, inquiry.error) == (None, "not now")
    there.refusal = None
    assert plan(there, now).rules == [
        "Listed packets: reject; it was drop.",
        "Logged: at most 5/minute; it was every packet.",
        "Listed packets pass until 2026-11-21 12:05:00 UTC.",
    ]


class Replacing(MemoryEnforcer):
    """Changes nothing but by filling new sets, which needs so many bytes."""

    def __init__(self, memory: int) -> None:
        super().__init__()
        self.memory = memory

    def plan(self, current: Content | None, wanted: Content, rules: Rules) -> Plan:
        made = super().plan(current, wanted, rules)
        if made.way is Way.NOTHING:
            return made
        return replace(made, way=Way.REPLACE, memory=self.memory)


@pytest.mark.parametrize(
    ("enforcer", "memory", "said"),
    [
        ("nftables", 1_500 << 20, ["nftables replaces its sets whole", "1,500 MiB of memory"]),
        ("nftables", 125, ["nftables replaces its sets whole", "1 MiB of memory"]),
        ("iptables", 1_500 << 20, []),
    ],
)
def test_a_plan_says_what_it_costs_that_nftables_replaces_its_sets_whole(
    device: Device,
    there: PretendedMachine,
    now: datetime,
    enforcer: str,
    memory: int,
    said: list[str],
) -> None:
    there.kernel = Replacing(memory)
    changes = {"policy_updates": "no", "enforcer": enforcer}
    configure_device(device=fresh(), changes=changes, actor="test", now=now)
    cost = plan(there, now).cost
    assert [words in cost for words in said] == [True] * len(said)
    assert bool(cost) == bool(said)


def test_a_plan_that_changes_no_set_costs_nothing(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.kernel = Replacing(125)
    configure_device(device=fresh(), changes={"enforcer": "nftables"}, actor="test", now=now)
    there.work(now)
    found = plan(there, now)
    assert (found.way, found.cost) == ("nothing", "")


def test_there_is_no_plan_before_a_snapshot_and_no_check_before_it_is_in_force(
    there: PretendedMachine, now: datetime
) -> None:
    device = make_gateway(now=now, node=NODE, nickname="gw")
    assert "tsadmin update gw" in asked(there, Question.PLAN, now).error
    publish(device.policy, now=now)
    inquiry = ask(gateway=fresh().gateway, question=Question.CHECK, actor="ann", now=now)
    there.work(now)
    inquiry.refresh_from_db()
    assert "nothing is in force on gw1 yet" in inquiry.error


def test_a_check_of_a_word_that_is_no_address_says_so(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    assert "'here' is no address" in asked(there, Question.CHECK, now, address="here").error


def test_a_check_tells_that_sets_in_memory_stop_no_packet(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    there.work(now)
    # Loopback twice, so that the datagrams of this check stay here.
    there.canaries = (Canary("gateway", "127.0.0.1"),)
    inquiry = asked(there, Question.CHECK, now, address="::1")
    assert inquiry.answer is not None, inquiry.error
    found = CheckAnswer.read(inquiry.answer)
    assert (found.ok, found.listed) == (False, "::1")
    assert found.unlisted == "127.0.0.1"
    assert [step.ok for step in found.steps if "listed can be sent to" in step.name] == [True]


def test_what_the_asker_reads_in_the_kernel_log_completes_a_check() -> None:
    steps = [CheckStep("a packet to it is refused", ok=True, seen="refused")]
    steps.append(CheckStep(LOGGED, ok=None, seen="the kernel log cannot be read"))
    found = CheckAnswer(None, "not proven", "198.51.100.7", "192.0.2.1", steps)
    other = "ThreatSTOP-TSblock IN= OUT=eth0 SRC=192.0.2.9 DST=198.51.100.70 PROTO=UDP"
    assert found.hearing([other, "DST=198.51.100.7"]) == found
    line = "ThreatSTOP-TSblock IN= OUT=eth0 SRC=192.0.2.9 DST=198.51.100.7 PROTO=UDP"
    heard = found.hearing([other, line])
    assert (heard.ok, heard.steps[1].seen) == (True, line)
    assert "refuses what is listed" in heard.sentence


def test_an_old_question_is_not_answered_any_more(
    device: Device, there: PretendedMachine, now: datetime
) -> None:
    inquiry = ask(gateway=device.gateway, question=Question.PLAN, actor="ann", now=now)
    there.work(now + ANSWERED_WITHIN)
    inquiry.refresh_from_db()
    assert inquiry.answered_at is None
    assert "the enforcer of gw1 did not answer" in unanswered(inquiry)


def test_questions_that_nobody_answers_are_bounded_and_pruned(
    device: Device, now: datetime
) -> None:
    for _ in range(OPEN_MOST):
        ask(gateway=device.gateway, question=Question.PLAN, actor="ann", now=now)
    with pytest.raises(TooManyQuestions, match="see whether it runs there"):
        ask(gateway=device.gateway, question=Question.PLAN, actor="ann", now=now)
    assert prune(now=now + timedelta(hours=1)) == 0
    assert prune(now=now + timedelta(days=2)) == OPEN_MOST
