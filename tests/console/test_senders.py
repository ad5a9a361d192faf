"""Refused senders in the console: whose they are is one click, or nobody wants them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from devices.models import Device
from logs.models import Sender, Spool
from policies.models import Change
from tests.console.pages import address
from tests.console.test_logs import deed, device, list_of, page_of, said, spool
from tests.factories import make_device
from tests.logs.rows import SAMPLE, STRANGER, make_sender

__all__ = ["device", "spool"]  # fixtures
pytestmark = pytest.mark.django_db


def test_a_refused_sender_is_shown_with_what_it_sent(alice: Client, spool: Spool) -> None:
    shown = list_of(alice, Sender)
    for part in (STRANGER, "TCP, UDP", "fw-a %FTD-1-430002", "Adopt for fw-a", "Ignore"):
        assert part in shown, part


def test_what_a_sender_sent_is_no_markup(alice: Client, spool: Spool) -> None:
    Sender.objects.update(sample="<script>alert(1)</script>")
    for shown in (list_of(alice, Sender), page_of(alice, Sender.objects.get())):
        assert "<script>alert" not in shown
        assert "&lt;script&gt;alert" in shown


def test_a_sender_is_adopted_in_one_click(alice: Client, spool: Spool) -> None:
    sender = Sender.objects.get()
    answer = deed(alice, Sender, "adopt", sender.pk, device=spool.device_id)
    assert answer.redirect_chain[-1][0] == address(Device, "change", spool.device_id)
    assert f"{STRANGER} is a syslog source of fw-a now" in said(answer)
    assert Device.objects.get().syslog_sources == [STRANGER]
    assert not Sender.objects.exists()
    assert Change.objects.filter(actor="console:alice", subject="device fw-a").exists()


def test_the_device_that_suits_comes_first(alice: Client, spool: Spool) -> None:
    now, policy = timezone.now(), spool.device.policy
    for number in range(5):
        make_device(policy=policy, now=now, nickname=f"fmc-{number}")
    make_device(policy=policy, now=now, nickname="near", management_ip="198.51.100.3")
    shown = list_of(alice, Sender)
    assert "Another device" in shown
    assert shown.index("Adopt for fw-a") < shown.index("Adopt for near")
    assert "Adopt for fmc-1" not in shown
    page = page_of(alice, Sender.objects.get())
    for part in ("its lines say fw-a", "in its network", ">fmc-1</option>"):
        assert part in page, part
    Device.objects.filter(nickname__in=["fw-a", "near"]).delete()
    assert "Choose a device" in list_of(alice, Sender)


def test_names_that_a_device_has_in_its_lines_count_as_its_own(alice: Client, spool: Spool) -> None:
    now, policy = timezone.now(), spool.device.policy
    make_device(policy=policy, now=now, nickname="x", log_names=["edge.example.net"])
    Sender.objects.update(sample=SAMPLE.replace("fw-a", "edge.example.net"))
    assert "its lines say edge.example.net" in page_of(alice, Sender.objects.get())


def test_without_any_device_there_is_the_way_to_add_one(alice: Client) -> None:
    sender = make_sender(now=timezone.now())
    assert "Add a device first" in list_of(alice, Sender)
    assert "There is no device that it could be" in page_of(alice, sender)


def test_what_cannot_be_adopted_is_a_message(alice: Client, spool: Spool) -> None:
    Device.objects.update(syslog_sources=[STRANGER])
    answer = deed(alice, Sender, "adopt", Sender.objects.get().pk, device=spool.device_id)
    assert "is a source of fw-a already" in said(answer)
    assert Sender.objects.exists()


@pytest.mark.parametrize("chosen", ["", "x", "0", "9" * 30])
def test_a_device_that_is_none_is_not_found(chosen: str, alice: Client, spool: Spool) -> None:
    pk = Sender.objects.get().pk
    assert deed(alice, Sender, "adopt", pk, device=chosen).status_code == 404
    assert Sender.objects.exists()


def test_to_adopt_takes_the_right_to_change_devices(spool: Spool) -> None:
    user = User.objects.create_user("dora", is_staff=True)
    rights = ("view_sender", "change_sender")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    dora = Client()
    dora.force_login(user)
    pk = Sender.objects.get().pk
    assert "Adopt" not in list_of(dora, Sender)
    assert deed(dora, Sender, "adopt", pk, device=spool.device_id).status_code == 403
    assert deed(dora, Sender, "ignore", pk).status_code == 200
    assert Sender.objects.get().is_ignored


def test_a_sender_is_set_aside_and_taken_back(alice: Client, spool: Spool) -> None:
    pk = Sender.objects.get().pk
    answer = deed(alice, Sender, "ignore", pk)
    assert "refused all the same" in said(answer)
    assert STRANGER not in list_of(alice, Sender, "?decided=no")
    shown = list_of(alice, Sender, "?decided=ignored")
    assert STRANGER in shown
    assert "Decide again" in shown
    assert "Adopt for" not in shown
    deed(alice, Sender, "heed", pk)
    assert not Sender.objects.get().is_ignored
    assert set(Change.objects.values_list("verb", flat=True)) >= {"ignore", "heed"}
