"""A sender that is refused is adopted by a device, or ignored; both by a person."""

from __future__ import annotations

from datetime import datetime

import pytest

from devices.models import Device
from logs.models import Sender
from logs.services import SenderRefused, adopt_sender, ignore_sender, known_senders
from policies.models import Change, ProtectedAddress
from tests.factories import make_device, make_gateway, make_policy

pytestmark = pytest.mark.django_db


@pytest.fixture
def sender(now: datetime) -> Sender:
    return Sender.objects.create(address="198.51.100.7", first_at=now, last_at=now, lines=3)


@pytest.fixture
def device(now: datetime) -> Device:
    return make_device(policy=make_policy(now=now), now=now, syslog_sources="192.0.2.30")


def test_adopted_it_is_a_source_of_the_device_from_now_on(
    sender: Sender, device: Device, now: datetime
) -> None:
    adopt_sender(sender=sender, device=device, actor="console:ann", now=now)
    (known,) = known_senders()
    assert known.networks == ("192.0.2.250", "192.0.2.30", "198.51.100.7")
    assert not Sender.objects.exists()
    change = Change.objects.filter(verb="configure").get()
    assert change.actor == "console:ann"
    assert change.detail["syslog_sources"] == [["192.0.2.30"], ["192.0.2.30", "198.51.100.7"]]
    assert ProtectedAddress.objects.filter(network="198.51.100.7").exists()


def test_an_address_that_a_device_has_already_is_told_apart_by_names(
    device: Device, now: datetime
) -> None:
    sender = Sender.objects.create(address="192.0.2.30", first_at=now, last_at=now)
    with pytest.raises(SenderRefused, match="add that name"):
        adopt_sender(sender=sender, device=device, actor="test", now=now)
    assert Sender.objects.exists()


def test_two_people_who_adopt_at_once_for_one_device_both_have_their_way(
    sender: Sender, device: Device, now: datetime
) -> None:
    other = Sender.objects.create(address="198.51.100.8", first_at=now, last_at=now)
    # Each has the device as it was when the page was made.
    pages = [Device.objects.get(pk=device.pk) for _ in range(2)]
    adopt_sender(sender=sender, device=pages[0], actor="console:ann", now=now)
    adopt_sender(sender=other, device=pages[1], actor="console:bob", now=now)
    device.refresh_from_db()
    assert device.syslog_sources == ["192.0.2.30", "198.51.100.7", "198.51.100.8"]


def test_a_device_that_was_removed_meanwhile_adopts_nobody(
    sender: Sender, device: Device, now: datetime
) -> None:
    gone = Device.objects.get(pk=device.pk)
    device.delete()
    with pytest.raises(SenderRefused, match="was removed meanwhile"):
        adopt_sender(sender=sender, device=gone, actor="test", now=now)
    assert Sender.objects.exists()


def test_a_kind_without_such_a_setting_refuses_and_says_so(sender: Sender, now: datetime) -> None:
    gateway = make_gateway(now=now)
    with pytest.raises(SenderRefused, match="syslog_sources"):
        adopt_sender(sender=sender, device=gateway, actor="test", now=now)
    assert Sender.objects.exists()


def test_a_sample_adopts_nobody(sender: Sender, device: Device, now: datetime) -> None:
    Device.objects.update(is_sample=True)
    device.refresh_from_db()
    with pytest.raises(SenderRefused, match="sample"):
        adopt_sender(sender=sender, device=device, actor="test", now=now)


def test_ignored_and_heeded_again_each_is_written_down_once(sender: Sender, now: datetime) -> None:
    for ignored in (True, True, False):
        ignore_sender(sender=sender, actor="test", now=now, ignored=ignored)
    assert not Sender.objects.get().is_ignored
    verbs = Change.objects.order_by("id").values_list("verb", "subject")
    assert list(verbs) == [("ignore", "sender 198.51.100.7"), ("heed", "sender 198.51.100.7")]
