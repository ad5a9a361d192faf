"""Linux gateways over the API: settings, kernel, questions, deeds, history."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu import Queue
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.test import APIClient

from devices.models import Device, Gateway
from enforcement.models import Inquiry, Question
from enforcement.services import inquiries
from enforcement.tasks import queue_of
from policies.models import Change
from tests.api.conftest import error_of, signed_in
from tests.enforcement.rows import CHECK, PLAN, applied, enforce
from tests.factories import make_device, make_gateway, make_policy, publish

pytestmark = pytest.mark.django_db
URL = "/api/v1/devices/"
NEW: dict[str, Any] = {
    "nickname": "gw-9",
    "kind": "iptables",
    "device_id": "tdid_0000beef",
    "block_list": "basic.example.net",
    "node": "gw-9.example.net",
    "enforcer": "nftables",
    "verdict": "reject",
    "log_limit": "10/second",
    "cut_connections": False,
    "canaries": ["192.0.2.1", "192.0.2.53:53"],
    "test_address": "203.0.113.99",
}
DEEDS = ("plan", "check", "apply", "pause", "resume")


@pytest.fixture
def gateway(db: None) -> Device:
    """A gateway with a published policy, at which no enforcer has looked."""
    now = timezone.now()
    policy = make_policy(now=now)
    publish(policy, now=now)
    return make_gateway(now=now, policy=policy, nickname="gw-1")


def nudges_of(node: str) -> int:
    """Take what waits for the enforcer of a machine, and return how much it was."""
    taken = 0
    with current_app.connection_for_write() as connection:
        queue = Queue(queue_of(node), channel=connection.default_channel)
        queue.declare()
        while (message := queue.get(no_ack=True)) is not None:
            assert message.headers["task"] == "enforcement.tasks.work"
            taken += 1
    return taken


def deed(api: APIClient, device: Device, verb: str, **body: object) -> Any:
    return api.post(f"{URL}{device.pk}/{verb}/", body)


def test_a_gateway_is_added_with_its_settings_and_has_a_kernel_in_place_of_feeds(
    api: APIClient,
) -> None:
    made = api.post(URL, NEW)
    assert made.status_code == 201, made.json()
    shown = made.json()
    assert {key: shown[key] for key in NEW} == NEW
    assert shown["feeds"] is None
    kernel = shown["gateway"]
    assert (kernel["state"], kernel["tone"], kernel["node"]) == ("waiting", "info", NEW["node"])
    assert (kernel["snapshot_number"], kernel["sets"], kernel["paused_until"]) == (None, [], None)
    assert api.get(f"{URL}{shown['id']}/").json() == shown


def test_a_device_that_pulls_has_feeds_and_no_kernel(api: APIClient) -> None:
    device = make_device(policy=make_policy(now=timezone.now()), now=timezone.now())
    shown = api.get(f"{URL}{device.pk}/").json()
    assert shown["gateway"] is None
    assert shown["feeds"]["block"].endswith("threatstop-block.txt")


def test_the_kernel_is_told_as_its_enforcer_wrote_it(api: APIClient, gateway: Device) -> None:
    now = timezone.now()
    enforce(gateway, now=now, warnings=["Docker is here."], healed=2, healed_at=now)
    shown = api.get(f"{URL}{gateway.pk}/").json()
    assert shown["health"]["state"] == "protected"
    kernel = shown["gateway"]
    assert kernel["sets"] == [
        {"name": "TSblockaddr", "entries": 1200, "bytes": 65_536},
        {"name": "TSblocknet", "entries": 48, "bytes": 4096},
    ]
    assert (kernel["state"], kernel["label"], kernel["entries"]) == ("enforced", "enforced", 1248)
    assert (kernel["dropped_in"], kernel["dropped_out"], kernel["healed"]) == (1204, 33, 2)
    assert (kernel["block_digest"], kernel["warnings"]) == ("ab" * 32, ["Docker is here."])


def test_settings_are_changed_by_the_rules_of_the_kind(api: APIClient, gateway: Device) -> None:
    url = f"{URL}{gateway.pk}/"
    changed = {"verdict": "reject", "canaries": ["192.0.2.1:22"], "cut_connections": False}
    shown = api.patch(url, changed).json()
    assert {key: shown[key] for key in changed} == changed
    for name, value in {
        "verdict": "shout", "log_limit": "often", "canaries": ["router"], "test_address": "x",
        "client_networks": ["192.0.2.0/24"], "cut_connections": "no",
    }.items():  # fmt: skip
        refused = api.patch(url, {name: value})
        assert refused.status_code == 400, name
        assert error_of(refused)["attr"].partition(".")[0] == name


def test_a_machine_that_enforces_another_device_is_refused(api: APIClient, gateway: Device) -> None:
    refused = api.post(URL, {**NEW, "node": gateway.node})
    assert refused.status_code == 400
    assert "enforces the device gw-1 already" in error_of(refused)["detail"]


def test_the_list_takes_no_query_more_for_each_gateway(
    api: APIClient, gateway: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api.get(URL)
    now, policy = timezone.now(), gateway.policy
    with CaptureQueriesContext(connection) as one:
        api.get(URL)
    for number in range(5):
        make_gateway(now=now, policy=policy, node=f"gw-{number}.example.net")
    with django_assert_num_queries(len(one)):
        assert len(api.get(URL).json()["results"]) == 6


@pytest.mark.parametrize("question", ["plan", "check"])
def test_a_question_is_left_for_the_enforcer_and_polled(
    question: str, api: APIClient, gateway: Device
) -> None:
    asked = deed(api, gateway, question)
    assert asked.status_code == 202, asked.json()
    told = asked.json()
    assert (told["question"], told["device"], told["answered_at"]) == (question, gateway.pk, None)
    assert (told["plan"], told["check"], told["error"], told["advice"]) == (None, None, "", "")
    row = Inquiry.objects.get()
    assert (row.asked_by, row.question) == ("api:alice", question)
    found = PLAN.json() if question == "plan" else CHECK.json()
    inquiries.answer(row, found=found, error="", now=timezone.now())
    answered = api.get(f"/api/v1/inquiries/{told['id']}/").json()
    assert answered["answered_at"] is not None
    other = "check" if question == "plan" else "plan"
    told = found if question == "check" else {**found, "changes_nothing": False}
    assert (answered[question], answered[other]) == (told, None)


def test_an_answer_may_be_why_there_is_none(api: APIClient, gateway: Device) -> None:
    asked = deed(api, gateway, "plan").json()
    row = Inquiry.objects.get()
    inquiries.answer(row, found=None, error="ipset is not installed", now=timezone.now())
    told = api.get(f"/api/v1/inquiries/{asked['id']}/").json()
    assert (told["error"], told["plan"]) == ("ipset is not installed", None)


def test_a_question_that_waits_half_a_minute_comes_with_advice(
    api: APIClient, gateway: Device
) -> None:
    asked = deed(api, gateway, "plan").json()
    Inquiry.objects.update(asked_at=timezone.now() - timedelta(seconds=31))
    advice = api.get(f"/api/v1/inquiries/{asked['id']}/").json()["advice"]
    assert f"the enforcer of {gateway.node} did not answer" in advice


def test_too_many_open_questions_are_a_conflict(api: APIClient, gateway: Device) -> None:
    for _ in range(inquiries.OPEN_MOST):
        assert deed(api, gateway, "plan").status_code == 202
    refused = deed(api, gateway, "check")
    assert refused.status_code == 409
    assert error_of(refused)["code"] == "busy"


def test_apply_leaves_the_gateway_due(api: APIClient, gateway: Device) -> None:
    enforce(gateway, now=timezone.now(), refused_target="x" * 64)
    assert deed(api, gateway, "apply").status_code == 202
    kernel = Gateway.objects.get()
    assert (kernel.due_at is not None, kernel.refused_target) == (True, "")
    assert Change.objects.get(verb="apply").actor == "api:alice"


def test_a_check_may_name_the_address_to_try(api: APIClient, gateway: Device) -> None:
    assert deed(api, gateway, "check", address="203.0.113.7").status_code == 202
    assert Inquiry.objects.get().options == {"address": "203.0.113.7"}
    refused = deed(api, gateway, "check", address="router")
    assert (refused.status_code, error_of(refused)["attr"]) == (400, "address")


def test_apply_may_name_the_snapshot_that_was_looked_at(api: APIClient, gateway: Device) -> None:
    enforce(gateway, now=timezone.now())
    refused = deed(api, gateway, "apply", snapshot=12)
    assert (refused.status_code, error_of(refused)["code"]) == (409, "outdated")
    assert Gateway.objects.get().due_at is None
    assert deed(api, gateway, "apply", snapshot=1).status_code == 202


def test_apply_before_anything_is_published_says_what_to_do(api: APIClient) -> None:
    device = make_gateway(now=timezone.now())
    refused = deed(api, device, "apply")
    assert refused.status_code == 400
    assert "retrieve its lists first" in error_of(refused)["detail"]


def test_a_gateway_is_paused_for_minutes_or_until_a_moment_and_resumed(
    api: APIClient, gateway: Device
) -> None:
    enforce(gateway, now=timezone.now())
    before = timezone.now()
    paused = deed(api, gateway, "pause", minutes=15).json()
    assert paused["health"]["state"] == "paused"
    assert paused["gateway"]["paused_by"] == "api:alice"
    until = datetime.fromisoformat(paused["gateway"]["paused_until"])
    assert timedelta(minutes=14) < until - before < timedelta(minutes=16)
    moment = (before + timedelta(hours=2)).replace(microsecond=0)
    paused = deed(api, gateway, "pause", until=moment.isoformat()).json()
    assert datetime.fromisoformat(paused["gateway"]["paused_until"]) == moment
    resumed = deed(api, gateway, "resume").json()
    assert (resumed["gateway"]["paused_until"], resumed["health"]["state"]) == (None, "protected")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"minutes": 5, "until": "2026-12-01T00:00:00Z"},
        {"minutes": 0},
        {"minutes": "5"},
        {"minutes": 10_081},
        {"until": "tomorrow"},
        {"until": "2001-01-01T00:00:00Z"},
        {"until": "9999-12-31T23:59:59Z"},
    ],
)
def test_a_pause_without_a_sound_end_is_refused(
    body: dict[str, object], api: APIClient, gateway: Device
) -> None:
    refused = deed(api, gateway, "pause", **body)
    assert refused.status_code == 400
    error_of(refused)
    assert Gateway.objects.get().paused_until is None


@pytest.mark.parametrize("verb", DEEDS)
def test_a_device_that_pulls_feeds_is_told_so(verb: str, api: APIClient) -> None:
    now = timezone.now()
    device = make_device(policy=make_policy(now=now), now=now, nickname="fmc-1")
    refused = deed(api, device, verb, **({"minutes": 5} if verb == "pause" else {}))
    assert refused.status_code == 400
    assert "fmc-1 is no gateway" in error_of(refused)["detail"]


@pytest.mark.parametrize("verb", DEEDS)
def test_who_may_only_look_can_do_none_of_it(verb: str, bob: User, gateway: Device) -> None:
    refused = deed(signed_in(bob), gateway, verb, minutes=5)
    assert refused.status_code == 403
    assert not Inquiry.objects.exists()


def test_who_may_view_devices_may_read_answers_and_history(
    bob: User, charlie: User, gateway: Device
) -> None:
    kernel = enforce(gateway, now=timezone.now())
    done = applied(kernel, now=timezone.now())
    row = inquiries.ask(gateway=kernel, question=Question.PLAN, actor="test", now=timezone.now())
    for url in (f"/api/v1/inquiries/{row.pk}/", f"/api/v1/applications/{done.pk}/"):
        assert signed_in(bob).get(url).status_code == 200
        assert signed_in(charlie).get(url).status_code == 403


def test_history_is_filtered_and_newest_first(api: APIClient, gateway: Device) -> None:
    now = timezone.now()
    other = make_gateway(now=now, policy=gateway.policy, node="elsewhere")
    kernel = enforce(gateway, now=now)
    applied(kernel, now=now - timedelta(hours=2))
    applied(kernel, now=now, outcome="rolled-back", trigger="settings", detail="192.0.2.1 was lost")
    applied(enforce(other, now=now), now=now)
    url = "/api/v1/applications/"
    shown = api.get(url, {"device": gateway.pk}).json()["results"]
    assert [one["outcome"] for one in shown] == ["rolled-back", "applied"]
    assert shown[0]["device_nickname"] == "gw-1"
    assert (shown[1]["added"], shown[1]["removed"], shown[1]["cut"]) == (1204, 37, 2)
    assert api.get(url, {"outcome": "rolled-back"}).json()["count"] == 1
    assert api.get(url, {"trigger": "policy"}).json()["count"] == 2
    early = (now - timedelta(hours=1)).isoformat()
    assert api.get(url, {"until": early}).json()["count"] == 1
    assert api.get(url, {"device": "gw-1"}).status_code == 400


def test_each_write_nudges_the_enforcer_of_the_machine(
    api: APIClient,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert current_app.conf.broker_url  # the settings are read now, not over what follows
    assert current_app.conf.changes is not None
    for name in ("broker_read_url", "broker_write_url"):
        monkeypatch.setitem(current_app.conf.changes, name, "memory://")
    with django_capture_on_commit_callbacks(execute=True):
        pk = api.post(URL, NEW).json()["id"]
    assert nudges_of(NEW["node"]) == 1
    device = Device.objects.get(pk=pk)
    with django_capture_on_commit_callbacks(execute=True):
        for verb in ("plan", "check", "resume"):
            assert deed(api, device, verb).status_code == 202
        deed(api, device, "pause", minutes=5)
        api.patch(f"{URL}{pk}/", {"note": "x"})
    assert nudges_of(NEW["node"]) == 5
    with django_capture_on_commit_callbacks(execute=True):
        assert api.delete(f"{URL}{pk}/").status_code == 204
    assert nudges_of(NEW["node"]) == 1
