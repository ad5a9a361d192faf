"""Logs over the API: ledgers, batches, attempts, refused senders, receivers, forwarding."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from devices.models import Device
from logs.models import Batch, Delivery, Forward, Receiver, Sender, Spool
from logs.services import rotations_asked
from logs.states import BatchState
from policies.models import Change
from tests.api.conftest import error_of, signed_in
from tests.factories import make_device, make_policy
from tests.logs.rows import STRANGER, WHY, change, make_logs, make_sender

pytestmark = pytest.mark.django_db
LOGS, DEVICES = "/api/v1/logs/", "/api/v1/devices/"
LISTS = ("ledger", "batches", "deliveries", "senders", "receivers", "forwards")


@pytest.fixture
def device(db: None) -> Device:
    """A firewall that sends, with one of everything of logs."""
    now = timezone.now()
    made = make_device(policy=make_policy(now=now), now=now, nickname="fw-a")
    make_logs(made, now=now)
    return made


def results(api: APIClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{LOGS}{path}").json()["results"]
    return found


def test_the_ledger_of_each_device_adds_up(api: APIClient, device: Device) -> None:
    [told] = results(api, "ledger/")
    assert told == api.get(f"{LOGS}ledger/{device.pk}/").json()
    assert (told["device"], told["device_nickname"]) == (device.pk, "fw-a")
    missed = told["refused"] + told["over_quota"] + told["lost"]
    assert told["received"] == told["kept"] + missed == 1000
    assert told["kept"] == told["uploaded"] + told["waiting"] + told["expired"] == 900
    assert (told["open"], told["batches_waiting"], told["batches_missing"]) == (30, 2, 2)
    assert told["is_balanced"] is True
    assert (told["uploads"]["state"], told["uploads"]["tone"]) == ("failing", "warning")
    assert WHY in told["uploads"]["detail"]
    Spool.objects.update(received=1001)
    assert api.get(f"{LOGS}ledger/{device.pk}/").json()["is_balanced"] is False


def test_a_device_that_never_sent_has_an_empty_ledger_and_a_sample_none(
    api: APIClient, device: Device
) -> None:
    now = timezone.now()
    quiet = make_device(policy=device.policy, now=now, nickname="quiet")
    sample = make_device(policy=device.policy, now=now, nickname="sample")
    Device.objects.filter(pk=sample.pk).update(is_sample=True)
    told = {one["device_nickname"]: one for one in results(api, "ledger/")}
    assert set(told) == {"fw-a", "quiet"}
    assert (told["quiet"]["received"], told["quiet"]["last_line_at"]) == (0, None)
    assert told["quiet"]["uploads"]["state"] == "nothing"
    assert api.get(f"{LOGS}ledger/{quiet.pk}/").json() == told["quiet"]
    assert api.get(f"{LOGS}ledger/{sample.pk}/").status_code == 404


def test_batches_tell_what_became_of_them(api: APIClient, device: Device) -> None:
    told = {one["number"]: one for one in results(api, "batches/")}
    assert list(told) == [5, 2, 1]
    assert (told[1]["state"], told[1]["tone"], told[1]["attempts"]) == ("uploaded", "success", 1)
    assert (told[2]["error"], told[2]["state_label"], told[2]["lines"]) == (WHY, "waiting", 120)
    assert (told[2]["device"], told[2]["device_id"]) == (device.pk, device.device_id)
    assert api.get(f"{LOGS}batches/{told[5]['id']}/").json() == told[5]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("state=waiting", [5, 2]),
        ("state=uploaded", [1]),
        ("number=2", [2]),
        ("search=refused", [2]),
        ("ordering=number", [1, 2, 5]),
        ("since=2000-01-01T00:00:00Z", [5, 2, 1]),
        ("until=2000-01-01T00:00:00Z", []),
    ],
)
def test_batches_are_filtered(
    api: APIClient, device: Device, query: str, numbers: list[int]
) -> None:
    found = results(api, f"batches/?{query}&device={device.pk}")
    assert [one["number"] for one in found] == numbers


def test_attempts_of_a_batch_are_a_list_of_their_own(api: APIClient, device: Device) -> None:
    batch = Batch.objects.get(number=2)
    [told] = results(api, f"deliveries/?batch={batch.pk}&device={device.pk}&outcome=unavailable")
    assert (told["number"], told["device"], told["times"]) == (2, device.pk, 3)
    assert (told["detail"], told["tone"]) == (WHY, "warning")
    assert len(results(api, "deliveries/")) == Delivery.objects.count() == 2


def test_receivers_tell_what_their_counters_mean(api: APIClient, device: Device) -> None:
    [told] = results(api, "receivers/")
    assert (told["state"], told["listeners"][0]) == ("running", "udp 192.0.2.10:514")
    drops = next(one for one in told["counters"] if one["name"] == "kernel_drops")
    assert (drops["value"], drops["tone"], drops["label"]) == (12, "danger", "Kernel drops")
    assert "net.core.rmem_max" in drops["sentence"]


def test_a_receiver_is_forgotten_once_it_is_silent(api: APIClient, device: Device) -> None:
    url = f"{LOGS}receivers/{Receiver.objects.get().pk}/"
    refused = api.delete(url)
    assert (refused.status_code, error_of(refused)["code"]) == (409, "running")
    Receiver.objects.update(reported_at=timezone.now() - timedelta(minutes=2))
    assert api.get(url).json()["state"] == "silent"
    assert api.delete(url).status_code == 204
    assert Change.objects.get(verb="forget").actor == "api:alice"


def test_forwarding_tells_how_far_behind_it_is(api: APIClient, device: Device) -> None:
    [told] = results(api, f"forwards/?device={device.pk}&state=forwarding")
    assert (told["target"], told["lag_lines"], told["dropped"]) == ("192.0.2.99:514/udp", 12, 4)
    assert results(api, "forwards/?state=failing") == []


def test_a_sender_is_adopted_for_a_device(api: APIClient, device: Device) -> None:
    [told] = results(api, "senders/?is_ignored=false")
    assert (told["address"], told["lines"], told["transports"]) == (STRANGER, 77, ["tcp", "udp"])
    done = api.post(f"{LOGS}senders/{told['id']}/adopt/", {"device": device.pk})
    assert done.status_code == 204
    assert Device.objects.get().syslog_sources == [STRANGER]
    assert not Sender.objects.exists()
    assert Change.objects.filter(actor="api:alice", subject="device fw-a").exists()


@pytest.mark.parametrize("body", [{}, {"device": "1"}, {"device": 0}, {"device": None}])
def test_a_device_that_is_none_is_refused_by_its_name(
    api: APIClient, device: Device, body: dict[str, object]
) -> None:
    refused = api.post(f"{LOGS}senders/{Sender.objects.get().pk}/adopt/", body)
    assert (refused.status_code, error_of(refused)["attr"]) == (400, "device")
    assert Sender.objects.exists()


def test_what_cannot_be_adopted_says_why(api: APIClient, device: Device) -> None:
    Device.objects.update(syslog_sources=[STRANGER])
    refused = api.post(f"{LOGS}senders/{Sender.objects.get().pk}/adopt/", {"device": device.pk})
    assert refused.status_code == 400
    assert "is a source of fw-a already" in error_of(refused)["detail"]


def test_a_sender_is_set_aside_and_taken_back(api: APIClient, device: Device) -> None:
    url = f"{LOGS}senders/{Sender.objects.get().pk}/"
    assert api.post(f"{url}ignore/").json()["is_ignored"] is True
    assert results(api, "senders/?is_ignored=false") == []
    assert api.post(f"{url}heed/").json()["is_ignored"] is False
    changes = Change.objects.filter(actor="api:alice", subject=f"sender {STRANGER}")
    assert set(changes.values_list("verb", flat=True)) == {"ignore", "heed"}


def test_what_is_open_is_closed_on_demand(api: APIClient, device: Device) -> None:
    answer = api.post(f"{DEVICES}{device.pk}/rotate-logs/")
    assert (answer.status_code, answer.json()["nickname"]) == (202, "fw-a")
    assert set(rotations_asked()) == {device.pk}


def test_uploads_are_tried_again_on_demand(api: APIClient, device: Device) -> None:
    change(Batch.objects.filter(number=2), state=BatchState.REFUSED, due_at=None)
    answer = api.post(f"{DEVICES}{device.pk}/retry-uploads/")
    assert (answer.status_code, answer.json()) == (202, {"batches": 2})
    assert Change.objects.get(verb="retry uploads").actor == "api:alice"
    assert Batch.objects.get(number=2).state == BatchState.WAITING


@pytest.mark.parametrize("verb", ["rotate-logs", "retry-uploads"])
def test_a_sample_is_told_nothing(api: APIClient, device: Device, verb: str) -> None:
    Device.objects.update(is_sample=True)
    refused = api.post(f"{DEVICES}{device.pk}/{verb}/")
    assert (refused.status_code, error_of(refused)["code"]) == (400, "refused")


def test_bob_looks_and_changes_nothing(bob: User, device: Device) -> None:
    client = signed_in(bob)
    for name in LISTS:
        assert client.get(f"{LOGS}{name}/").status_code == 200, name
    sender, receiver = Sender.objects.get().pk, Receiver.objects.get().pk
    Receiver.objects.update(reported_at=timezone.now() - timedelta(hours=1))
    refused = [
        client.post(f"{LOGS}senders/{sender}/adopt/", {"device": device.pk}),
        *(client.post(f"{LOGS}senders/{sender}/{verb}/") for verb in ("ignore", "heed")),
        client.delete(f"{LOGS}receivers/{receiver}/"),
        *(
            client.post(f"{DEVICES}{device.pk}/{verb}/")
            for verb in ("rotate-logs", "retry-uploads")
        ),
    ]
    assert {answer.status_code for answer in refused} == {403}
    assert (Sender.objects.count(), Receiver.objects.count()) == (1, 1)


def test_charlie_sees_none_of_it(charlie: User, device: Device) -> None:
    client = signed_in(charlie)
    for name in LISTS:
        refused = client.get(f"{LOGS}{name}/")
        assert (refused.status_code, error_of(refused)["code"]) == (403, "permission_denied")


def test_whoever_sees_devices_sees_their_logs_and_no_senders(device: Device) -> None:
    user = User.objects.create_user("dora")
    user.user_permissions.set(Permission.objects.filter(codename="view_device"))
    answers = {name: signed_in(user).get(f"{LOGS}{name}/").status_code for name in LISTS}
    assert {name for name, status in answers.items() if status == 403} == {"senders", "receivers"}


def test_nothing_of_it_is_written_by_hand(api: APIClient, device: Device) -> None:
    for name in LISTS:
        assert api.post(f"{LOGS}{name}/", {}).status_code in {403, 405}, name
    assert api.patch(f"{LOGS}batches/{Batch.objects.get(number=1).pk}/", {}).status_code in {
        403,
        405,
    }


@pytest.mark.parametrize("name", LISTS)
def test_a_list_takes_no_query_more_for_each_row(
    name: str, api: APIClient, device: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api.get(f"{LOGS}{name}/")
    with CaptureQueriesContext(connection) as before:
        api.get(f"{LOGS}{name}/")
    now = timezone.now()
    for number in range(5):
        other = make_device(policy=device.policy, now=now, nickname=f"fw-{number}")
        spool = Spool.objects.create(device=other)
        for batch in Batch.objects.filter(spool__device=device):
            batch.pk, batch.spool = None, spool
            batch.save()
            Delivery.objects.create(batch=batch, at=now, outcome="delivered")
        Forward.objects.create(device=other, target="192.0.2.98:514/udp")
        Receiver.objects.create(node=f"n{number}", started_at=now, reported_at=now)
        make_sender(f"198.51.100.{number}", now=now)
    with django_assert_num_queries(len(before)):
        assert len(results(api, f"{name}/")) >= 6
