"""Logs in the console: ledgers, batches, refused senders, receivers, forwarding."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from devices.models import Device
from logs.models import Batch, Forward, Receiver, Sender, Spool
from logs.services import rotations_asked
from logs.states import BatchState
from policies.models import Alarm, Change
from tests.console.pages import address
from tests.factories import make_device, make_gateway, make_policy
from tests.logs.rows import (
    WHY,
    change,
    make_batch,
    make_logs,
    make_receiver,
    make_spool,
    sum_up,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(db: None) -> Device:
    """A firewall that sends."""
    now = timezone.now()
    return make_device(policy=make_policy(now=now), now=now, nickname="fw-a")


@pytest.fixture
def spool(device: Device) -> Spool:
    """Its ledger, with one of everything beside it."""
    return make_logs(device, now=timezone.now())


def said(answer: Any) -> str:
    return str(answer.content.decode())


def page_of(client: Client, row: Any) -> str:
    return said(client.get(address(type(row), "change", row.pk)))


def list_of(client: Client, model: type, query: str = "") -> str:
    return said(client.get(address(model, "changelist") + query))


def device_page(client: Client, device: Device) -> str:
    return said(client.get(address(Device, "change", device.pk)))


def deed(client: Client, model: type, verb: str, pk: int, **sent: object) -> Any:
    return client.post(address(model, verb, pk), sent, follow=True)


# --- ledgers and batches ---------------------------------------------------------------------


def test_the_ledger_has_a_row_for_each_device_in_words(alice: Client, spool: Spool) -> None:
    other = make_device(policy=spool.device.policy, now=timezone.now(), nickname="fw-b")
    make_spool(other, now=timezone.now(), received=1001)
    shown = list_of(alice, Spool)
    for part in ("fw-a", "1,000", "900", "700", ">failing<", ">adds up<", "fw-b",
                 "nothing yet", ">does not add up<"):  # fmt: skip
        assert part in shown, part


def test_the_page_of_a_ledger_shows_both_equations(alice: Client, spool: Spool) -> None:
    shown = page_of(alice, spool)
    assert "= 900 kept + 60 refused + 30 over quota + 10 lost" in shown
    assert "= 700 uploaded + 200 waiting (of them 30 in the open file) + 0 expired" in shown
    assert shown.count(">adds up<") == 2
    assert WHY in shown


def test_the_batches_of_a_ledger_stand_in_order_with_the_gaps_between(
    alice: Client, spool: Spool
) -> None:
    shown = page_of(alice, spool)
    places = [shown.index(f">{text}<") for text in ("5", "3 to 4", "2", "1")]
    assert places == sorted(places)
    assert "Missing numbers: 3 to 4." in shown
    assert ">missing<" in shown


def test_a_gap_before_the_first_batch_is_a_gap_and_pruned_ones_are_none(
    alice: Client, spool: Spool
) -> None:
    Batch.objects.filter(number=1).delete()
    assert "Missing numbers: 3 to 4, 1." in page_of(alice, spool)
    Spool.objects.update(pruned_number=1)
    assert "Missing numbers: 3 to 4." in page_of(alice, spool)


def test_only_the_newest_batches_stand_there_and_the_others_are_a_link_away(
    alice: Client, device: Device
) -> None:
    now = timezone.now()
    spool = make_spool(device, now=now)
    for number in range(1, 60):
        make_batch(spool, number, 1, at=now + timedelta(seconds=number))
    shown = page_of(alice, spool)
    assert "All batches" in shown
    assert ">10<" in shown
    assert ">9<" not in shown
    assert "Missing numbers" not in shown


def test_a_batch_tells_each_attempt(alice: Client, spool: Spool) -> None:
    shown = page_of(alice, Batch.objects.get(number=2))
    for part in ("waiting", WHY, "unavailable 3 times", "10.0 s", "ab" * 32):
        assert part in shown, part
    assert "It was not tried yet." in page_of(alice, Batch.objects.get(number=5))
    assert "200 OK" in page_of(alice, Batch.objects.get(number=1))


def test_batches_are_filtered_by_state(alice: Client, spool: Spool) -> None:
    shown = list_of(alice, Batch, "?state__exact=uploaded")
    assert "uploaded" in shown
    assert WHY[:40] not in shown


def test_uploads_are_told_in_one_word_whatever_the_reason(alice: Client, spool: Spool) -> None:
    def says() -> str:
        return page_of(alice, spool)

    Spool.objects.update(stopped_at=timezone.now())
    assert "uploads: stopped" in says()
    Spool.objects.update(stopped_at=None)
    change(Batch.objects.filter(number=2), state=BatchState.REFUSED, due_at=None)
    assert "uploads: refused" in says()
    Device.objects.update(send_logs=False)
    assert "uploads: off" in says()
    Device.objects.update(send_logs=True, log_trouble="")
    uploaded = {"state": BatchState.UPLOADED, "uploaded_at": timezone.now(), "due_at": None}
    change(Batch.objects.filter(number=2), **uploaded)
    assert "uploads: waiting" in says()
    change(Batch.objects.all(), **uploaded)
    assert "uploads: up to date<" in says()
    expired = {"state": BatchState.EXPIRED, "uploaded_at": None, "removed_at": timezone.now()}
    change(Batch.objects.filter(number=2), **expired)
    assert "uploads: up to date, some expired" in says()
    assert "Lines that were removed before, to make room: 120." in says()
    change(Batch.objects.all(), **expired)
    assert "uploads: up to date, some expired" in says()


# --- deeds -----------------------------------------------------------------------------------


def test_what_is_open_is_closed_on_demand(alice: Client, spool: Spool) -> None:
    answer = deed(alice, Device, "rotate-logs", spool.device_id)
    assert answer.redirect_chain[-1][0] == address(Spool, "change", spool.pk)
    assert "becomes a batch within seconds" in said(answer)
    assert set(rotations_asked()) == {spool.device_id}


def test_uploads_are_tried_again_on_demand(alice: Client, spool: Spool) -> None:
    change(Batch.objects.filter(number=2), state=BatchState.REFUSED, due_at=None)
    assert "Try uploads again" in page_of(alice, spool)
    answer = deed(alice, Device, "retry-uploads", spool.device_id)
    assert "tried again within seconds: 2 batches" in said(answer)
    assert Batch.objects.get(number=2).state == BatchState.WAITING
    assert Change.objects.get(verb="retry uploads").actor == "console:alice"


def test_with_nothing_to_try_again_it_says_so(alice: Client, device: Device) -> None:
    answer = deed(alice, Device, "retry-uploads", device.pk)
    assert "nothing waits to be uploaded" in said(answer)


def test_a_sample_is_told_nothing(alice: Client, device: Device) -> None:
    Device.objects.update(is_sample=True)
    assert "is a sample" in said(deed(alice, Device, "rotate-logs", device.pk))
    assert not Spool.objects.exists()
    assert "Close and upload now" not in device_page(alice, device)


DEEDS = (
    (Device, "rotate-logs"), (Device, "retry-uploads"), (Sender, "adopt"), (Sender, "ignore"),
    (Sender, "heed"), (Receiver, "forget"),
)  # fmt: skip


@pytest.mark.parametrize(("model", "verb"), DEEDS)
def test_to_look_changes_nothing(model: type, verb: str, alice: Client, spool: Spool) -> None:
    row = model.objects.get()  # type: ignore[attr-defined]
    assert alice.get(address(model, verb, row.pk)).status_code == 405


@pytest.mark.parametrize(("model", "verb"), DEEDS)
def test_who_may_only_look_is_not_let(
    model: type, verb: str, victor: Client, charlie: Client, spool: Spool
) -> None:
    row = model.objects.get()  # type: ignore[attr-defined]
    sent = {"device": spool.device_id}
    for person in (victor, charlie):
        assert person.post(address(model, verb, row.pk), sent).status_code == 403
    assert Sender.objects.filter(is_ignored=False).exists()
    assert Receiver.objects.exists()


def test_who_may_only_look_is_offered_no_button(victor: Client, spool: Spool) -> None:
    Receiver.objects.update(reported_at=timezone.now() - timedelta(hours=1))
    pages = [list_of(victor, Sender), device_page(victor, spool.device)]
    pages += [page_of(victor, row) for row in (spool, Sender.objects.get(), Receiver.objects.get())]
    for shown in pages:
        for label in ("Adopt", "Ignore", "Close and upload", "Try uploads", "Forget"):
            assert label not in shown, label


# --- receivers and forwarding ----------------------------------------------------------------


def test_a_receiver_says_what_its_counters_mean_and_what_to_do(alice: Client, spool: Spool) -> None:
    shown = page_of(alice, Receiver.objects.get())
    for part in ("running", "udp 192.0.2.10:514", "net.core.rmem_max=67108864", "416.0\xa0KB",
                 "Octet-counted", "With their length in front (RFC 6587)."):  # fmt: skip
        assert part in shown, part
    assert "Forget it" not in shown
    Receiver.objects.update(counters={"kernel_drops": 0})
    assert "rmem_max=67108864" not in page_of(alice, Receiver.objects.get())


def test_a_receiver_that_is_silent_or_stopped_says_so_and_can_be_forgotten(
    alice: Client, spool: Spool
) -> None:
    row = Receiver.objects.get()
    running = deed(alice, Receiver, "forget", row.pk)
    assert "stop it there first" in said(running)
    Receiver.objects.update(reported_at=timezone.now() - timedelta(minutes=2))
    assert ">silent<" in list_of(alice, Receiver)
    Receiver.objects.update(stopped_at=timezone.now(), trouble="")
    assert "until it is started again" in page_of(alice, row)
    assert "is forgotten" in said(deed(alice, Receiver, "forget", row.pk))
    assert not Receiver.objects.exists()


def test_the_trouble_of_a_receiver_stands_on_its_page(alice: Client) -> None:
    row = make_receiver(now=timezone.now(), trouble="tls [::]:6514: no certificate", listeners=[])
    assert "running, with trouble" in list_of(alice, Receiver)
    shown = page_of(alice, row)
    assert "tls [::]:6514: no certificate" in shown
    assert "nowhere" in shown


def test_forwarding_tells_how_far_behind_it_is(alice: Client, spool: Spool) -> None:
    Forward.objects.update(state="failing", error="192.0.2.99:514: connection refused")
    for shown in (list_of(alice, Forward), page_of(alice, Forward.objects.get())):
        for part in ("192.0.2.99:514/udp", "12 lines, 3.5\xa0KB", "cannot be reached", "refused"):
            assert part in shown, part


# --- the device's page and the start page ----------------------------------------------------


def test_the_page_of_a_device_tells_of_its_logs(alice: Client, spool: Spool) -> None:
    shown = device_page(alice, spool.device)
    for part in ("1,000 received, 900 kept, 700 uploaded, 200 waiting, 100 missed", ">adds up<",
                 ">failing<", WHY, "Last upload", "192.0.2.99:514/udp",
                 "UDP to <code>192.0.2.10:514</code>, TCP to <code>192.0.2.10:514</code>",
                 "from <code>192.0.2.250</code>", "logging permit-hostdown", "Try uploads again",
                 address(Spool, "change", spool.pk)):  # fmt: skip
        assert part in shown, part


def test_a_device_that_never_sent_says_where_to_send(alice: Client, device: Device) -> None:
    make_receiver(now=timezone.now(), node="elsewhere", listeners=["udp [::]:514", "/dev/kmsg"])
    shown = device_page(alice, device)
    assert "UDP to <code>elsewhere:514</code>" in shown
    assert "kmsg" not in shown
    assert "Try uploads again" not in shown


def test_without_a_receiver_it_says_how_to_start_one(alice: Client, device: Device) -> None:
    make_receiver(now=timezone.now() - timedelta(hours=1))
    assert "no receiver runs" in device_page(alice, device)


def test_this_machine_has_nothing_to_set_up(alice: Client, settings: Settings) -> None:
    gateway = make_gateway(now=timezone.now(), nickname="gw-1")
    settings.TSCM_NODE = gateway.node
    shown = device_page(alice, gateway)
    assert "kernel log is read" in shown
    assert "permit-hostdown" not in shown
    assert "In the kernel" in shown


def test_a_target_that_no_forwarder_told_of_is_named(alice: Client, device: Device) -> None:
    Device.objects.update(syslog_forward="192.0.2.98:514/tcp")
    assert "192.0.2.98:514/tcp: no forwarder told of it yet" in device_page(alice, device)


def test_the_list_of_devices_says_that_logs_are_not_uploaded(alice: Client, spool: Spool) -> None:
    from tests.factories import publish

    publish(spool.device.policy, now=timezone.now())
    shown = list_of(alice, Device)
    assert "logs not uploaded" in shown
    assert "connection refused" in shown


def test_the_start_page_counts_what_waits_fails_and_was_refused(
    alice: Client, spool: Spool
) -> None:
    change(Batch.objects.filter(number=2), state=BatchState.REFUSED, due_at=None)
    shown = said(alice.get(reverse("admin:index")))
    for word in ("uploads failing", "batches refused", "batches wait for upload",
                 "refused senders"):  # fmt: skip
        assert word in shown, word
    Batch.objects.all().delete()
    sum_up()
    Sender.objects.update(is_ignored=True)
    Device.objects.update(log_trouble="")
    assert "log-tallies" not in said(alice.get(reverse("admin:index")))


@pytest.mark.parametrize(
    ("subject", "label", "model"),
    [
        ("device fw-a", "Show the ledger", Spool),
        ("receiver {node}", "Show the receiver", Receiver),
    ],
)
def test_an_alarm_of_logs_leads_to_what_it_is_about(
    subject: str, label: str, model: type, alice: Client, spool: Spool
) -> None:
    now = timezone.now()
    make_policy(now=now, name="fw-a")  # a policy of the same name is another thing
    alarm = Alarm.objects.create(
        kind="ledger", subject=subject.format(node=Receiver.objects.get().node), message="m",
        opened_at=now,
    )  # fmt: skip
    shown = page_of(alice, alarm)
    assert label in shown
    row = model.objects.get()  # type: ignore[attr-defined]
    assert address(model, "change", row.pk) in shown
    Spool.objects.all().delete()
    Receiver.objects.all().delete()
    assert label not in page_of(alice, alarm)
