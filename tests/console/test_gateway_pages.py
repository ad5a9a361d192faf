"""Linux gateways in the console: added by their kind, told what to do, and asked what they hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from devices.models import Device, Gateway, GatewayRelease
from enforcement.models import Application, Inquiry, Question
from enforcement.services import inquiries
from policies.models import Change
from tests.console.pages import address
from tests.enforcement.rows import CHECK, PLAN, applied, enforce
from tests.factories import make_device, make_gateway, make_policy, publish

pytestmark = pytest.mark.django_db
NEW = {
    "nickname": "gw-9", "kind": "iptables", "device_id": "tdid_99999999",
    "block_list": "basic.example.net", "dns_port": "53", "policy_updates": "on",
    "send_logs": "on", "log_size": "200k", "log_quota": "500M", "forward_source": "none",
    "log_writer": "receiver",
    "ip_type": "static", "node": "gw-9.example.net",
    "enforcer": "iptables", "verdict": "reject", "log_limit": "10/second",
    "canaries": "192.0.2.1, 192.0.2.53:53", "test_address": "203.0.113.99",
}  # fmt: skip
DEEDS = ("plan", "check", "apply", "pause", "resume")
MINUS, NBSP = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"


@pytest.fixture
def gateway(db: None) -> Device:
    """A gateway with a published policy, whose kernel holds it."""
    now = timezone.now()
    policy = make_policy(now=now)
    publish(policy, now=now)
    device = make_gateway(now=now, policy=policy, nickname="gw-1")
    enforce(device, now=now)
    return device


def page_of(client: Client, device: Device) -> str:
    return said(client.get(address(Device, "change", device.pk)))


def tell(client: Client, device: Device, verb: str, **sent: str) -> Any:
    return client.post(address(Device, verb, device.pk), sent, follow=True)


def said(answer: Any) -> str:
    return str(answer.content.decode())


def show(client: Client, gateway: Device, question: Question, **written: Any) -> str:
    """Return the page of a question; `found` or `error` is its answer, `waited` how long ago."""
    now = timezone.now()
    row = inquiries.ask(gateway=gateway.gateway, question=question, actor="test", now=now)
    Inquiry.objects.filter(pk=row.pk).update(asked_at=now - written.pop("waited", timedelta()))
    if written:
        inquiries.answer(row, now=now, **{"found": None, "error": "", **written})
    return said(client.get(address(Device, "inquiry", gateway.pk, row.pk)))


def test_the_form_asks_for_the_settings_of_the_chosen_kind(alice: Client) -> None:
    url = address(Device, "add")
    first, other = (said(alice.get(f"{url}{query}")) for query in ("", "?kind=iptables"))
    for shown in (first, other):
        assert 'href="?kind=firepower"' in shown
        assert 'href="?kind=iptables"' in shown
    assert 'name="client_networks"' in first
    assert 'name="canaries"' not in first
    assert 'name="canaries"' in other
    assert 'name="client_networks"' not in other
    assert '<input type="hidden" name="kind" value="iptables"' in other
    assert 'name="client_networks"' in said(alice.get(f"{url}?kind=typewriter"))


def test_a_gateway_is_added_by_the_form(alice: Client) -> None:
    assert alice.post(f"{address(Device, 'add')}?kind=iptables", NEW).status_code == 302
    device = Device.objects.get()
    assert (device.kind, device.node, device.verdict) == ("iptables", NEW["node"], "reject")
    assert device.canaries == ["192.0.2.1", "192.0.2.53:53"]
    assert (device.cut_connections, device.log_limit) == (False, "10/second")
    assert device.gateway.due_at is not None


def test_a_machine_that_enforces_another_is_refused_beside_its_field(
    alice: Client, gateway: Device
) -> None:
    answer = alice.post(address(Device, "add"), {**NEW, "node": gateway.node})
    errors = answer.context["adminform"].form.errors
    assert "enforces the device gw-1 already" in errors["node"][0]


def test_a_wrong_setting_keeps_the_form_of_the_kind(alice: Client) -> None:
    answer = alice.post(address(Device, "add"), {**NEW, "log_limit": "often"})
    assert list(answer.context["adminform"].form.errors) == ["log_limit"]
    assert 'name="canaries"' in said(answer)


def test_the_list_names_the_machine_and_when_its_kernel_was_read(
    alice: Client, gateway: Device
) -> None:
    Device.objects.update(node="gw-1.example.net")
    make_device(policy=gateway.policy, now=timezone.now(), nickname="fmc-1")
    url = address(Device, "changelist")
    shown = said(alice.get(url))
    for part in ("gw-1.example.net", "Linux gateway", "just now", "fmc-1"):
        assert part in shown, part
    assert "fmc-1" not in said(alice.get(f"{url}?kind__exact=iptables"))


def test_the_page_says_what_is_in_the_kernel_and_names_no_feed(
    alice: Client, gateway: Device
) -> None:
    now = timezone.now()
    enforce(gateway, now=now, warnings=["Docker writes its own rules."], healed=2, healed_at=now)
    shown = page_of(alice, gateway)
    for part in (
        "In the kernel", "enforced", "#1", ">abababababab<", "TSblockaddr", "1,200",
        f"64.0{NBSP}KB", "<b>1,204</b> packets inbound", "<b>33</b> outbound", "2 differences",
        "Docker writes its own rules.", "Nothing was done in this kernel yet",
    ):  # fmt: skip
        assert part in shown, part
    for part in ("Feed URLs", "Show feed", "threatstop-block.txt", "Recent pulls"):
        assert part not in shown, part
    assert alice.get(address(Device, "feed", gateway.pk)).status_code == 404


def test_the_page_says_what_was_done_the_newest_first(alice: Client, gateway: Device) -> None:
    now, kernel = timezone.now(), gateway.gateway
    for hours in range(1, 12):
        applied(kernel, now=now - timedelta(hours=hours), detail=f"run {hours}.")
    applied(kernel, now=now, outcome="rolled-back", detail="192.0.2.1 was lost")
    shown = page_of(alice, gateway)
    assert f"+1,204 {MINUS}37" in shown
    assert shown.index("192.0.2.1 was lost") < shown.index("run 1.") < shown.index("run 4.")
    assert "run 5." not in shown
    assert f"{address(Application, 'changelist')}?q=gw-1" in shown


@pytest.mark.parametrize("question", list(Question))
def test_a_question_leads_to_a_page_that_waits_for_the_answer(
    question: Question, alice: Client, gateway: Device
) -> None:
    asked = tell(alice, gateway, question.value)
    row = Inquiry.objects.get()
    assert (row.question, row.asked_by) == (question, "console:alice")
    assert asked.redirect_chain == [(address(Device, "inquiry", gateway.pk, row.pk), 302)]
    assert f"Waiting for the enforcer of {gateway.node}" in said(asked)
    assert 'data-reload="1"' in said(asked)


def test_after_half_a_minute_it_says_what_to_do(alice: Client, gateway: Device) -> None:
    shown = show(alice, gateway, Question.PLAN, waited=timedelta(seconds=40))
    assert f"The enforcer of {gateway.node} did not answer" in shown
    assert 'data-reload="5"' in shown


def test_it_stops_looking_when_nobody_answers_any_more(alice: Client, gateway: Device) -> None:
    shown = show(alice, gateway, Question.PLAN, waited=timedelta(minutes=6))
    assert "gave no answer" in shown
    assert "data-reload" not in shown


def test_many_open_questions_are_refused_with_a_message(alice: Client, gateway: Device) -> None:
    for _ in range(inquiries.OPEN_MOST):
        tell(alice, gateway, "plan")
    assert "see whether it runs there" in said(tell(alice, gateway, "check"))
    assert Inquiry.objects.count() == inquiries.OPEN_MOST


def test_a_plan_is_shown_with_what_comes_and_goes(alice: Client, gateway: Device) -> None:
    shown = show(alice, gateway, Question.PLAN, found=PLAN.json())
    for part in (
        "+1,204", f"{MINUS}37", "edge-block #12", "+198.51.100.0/24", f"{MINUS}192.0.2.0/24",
        f"1.4{NBSP}MB", "Every listed packet is logged.", "192.0.2.53:53", "It takes a second.",
        "Apply now", "1,202 more come, 36 more go.",
    ):  # fmt: skip
        assert part in shown, part
    assert "data-reload" not in shown


def test_a_plan_that_is_no_longer_the_newest_says_so(alice: Client, gateway: Device) -> None:
    old = show(alice, gateway, Question.PLAN, found=PLAN.json())
    assert "Snapshot 1 is the newest by now" in old
    newest = show(alice, gateway, Question.PLAN, found={**PLAN.json(), "snapshot": 1})
    assert "is the newest by now" not in newest


def test_a_plan_of_nothing_says_so(alice: Client, gateway: Device) -> None:
    found = {**PLAN.json(), "way": "nothing", "rules": [], "added": 0, "removed": 0}
    assert "Nothing to change" in show(alice, gateway, Question.PLAN, found=found)


def test_a_check_is_shown_step_by_step(alice: Client, gateway: Device) -> None:
    shown = show(alice, gateway, Question.CHECK, found=CHECK.json())
    assert "it does not work" in shown
    for part in (CHECK.sentence, "not ok", "unknown", CHECK.listed, CHECK.steps[1].seen):
        assert part in shown, part
    well = show(alice, gateway, Question.CHECK, found={**CHECK.json(), "ok": True})
    assert "it works" in well


def test_why_there_is_no_answer_is_shown(alice: Client, gateway: Device) -> None:
    shown = show(alice, gateway, Question.PLAN, error="ipset is not installed: install it.")
    assert "Ipset is not installed: install it." in shown


def test_a_question_of_another_device_is_not_there(alice: Client, gateway: Device) -> None:
    now = timezone.now()
    other = make_gateway(now=now, policy=gateway.policy, node="elsewhere")
    row = inquiries.ask(gateway=gateway.gateway, question=Question.PLAN, actor="test", now=now)
    assert alice.get(address(Device, "inquiry", other.pk, row.pk)).status_code == 404


def test_apply_now_leaves_the_gateway_due(alice: Client, gateway: Device) -> None:
    assert "to be applied" in said(tell(alice, gateway, "apply"))
    assert Gateway.objects.get().due_at is not None
    assert Change.objects.get(verb="apply").actor == "console:alice"


def test_a_plan_is_applied_as_long_as_it_is_the_newest(alice: Client, gateway: Device) -> None:
    refused = said(tell(alice, gateway, "apply", snapshot="12"))
    assert "snapshot 1 is the newest by now, not 12" in refused
    assert Gateway.objects.get().due_at is None
    assert "to be applied" in said(tell(alice, gateway, "apply", snapshot="1"))


def test_a_gateway_is_paused_and_resumed(alice: Client, gateway: Device) -> None:
    shown = said(tell(alice, gateway, "pause", minutes="15"))
    for part in ("gw-1: paused", "enforcement paused", "as console:alice asked"):
        assert part in shown, part
    until = Gateway.objects.get().paused_until
    assert until is not None
    assert timedelta(minutes=14) < until - timezone.now() <= timedelta(minutes=15)
    assert "gw-1: resumed" in said(tell(alice, gateway, "resume"))
    assert Gateway.objects.get().paused_until is None
    assert "it was not paused" in said(tell(alice, gateway, "resume"))


def test_a_pause_may_end_at_a_moment_as_browsers_send_it(alice: Client, gateway: Device) -> None:
    moment = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    tell(alice, gateway, "pause", until=f"{moment:%Y-%m-%dT%H:%M}")
    assert Gateway.objects.get().paused_until == moment


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({}, "say how long"),
        ({"minutes": "soon"}, "say how long"),
        ({"until": "2001-01-01T00:00"}, "a pause ends later than now"),
        ({"until": "2999-01-01T00:00"}, "within 7 days"),
    ],
)
def test_a_pause_without_a_sound_end_is_refused(
    sent: dict[str, str], reason: str, alice: Client, gateway: Device
) -> None:
    assert reason in said(tell(alice, gateway, "pause", **sent))
    assert Gateway.objects.get().paused_until is None


@pytest.mark.parametrize("verb", DEEDS)
def test_to_look_changes_nothing(verb: str, alice: Client, gateway: Device) -> None:
    assert alice.get(address(Device, verb, gateway.pk)).status_code == 405
    assert not Inquiry.objects.exists()


@pytest.mark.parametrize("verb", DEEDS)
def test_who_may_only_look_is_neither_offered_nor_let(
    verb: str, victor: Client, gateway: Device
) -> None:
    url = address(Device, verb, gateway.pk)
    assert victor.post(url, {"minutes": "5"}).status_code == 403
    assert url not in page_of(victor, gateway)
    plan = show(victor, gateway, Question.PLAN, found=PLAN.json())
    assert "+1,204" in plan
    assert "Apply now" not in plan


@pytest.mark.parametrize("verb", DEEDS)
def test_a_device_that_pulls_feeds_says_that_it_is_no_gateway(verb: str, alice: Client) -> None:
    now = timezone.now()
    device = make_device(policy=make_policy(now=now), now=now, nickname="fmc-1")
    assert "fmc-1 is no gateway" in said(tell(alice, device, verb, minutes="5"))
    assert "In the kernel" not in page_of(alice, device)


def test_a_gateway_is_removed_and_its_kernel_let_go(alice: Client, gateway: Device) -> None:
    alice.post(address(Device, "delete", gateway.pk), {"post": "yes"})
    assert not Gateway.objects.exists()
    assert GatewayRelease.objects.get().node == gateway.node
