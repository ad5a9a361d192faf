"""What the console says when something is lost, held or gone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from accounts.models import ApiToken
from accounts.services import create_token
from devices.models import Device, Pull
from policies.models import Change, Policy, ProtectedAddress, Source
from policies.store import feed_path
from tests.console.pages import address, make_site
from tests.console.test_device_pages import add, change
from tests.factories import make_policy

pytestmark = pytest.mark.django_db


def test_a_device_whose_secret_has_lost_its_key_can_be_given_another(
    alice: Client, settings: Settings
) -> None:
    add(alice, upload_proxy_password="hunter-2")
    device = Device.objects.get()
    settings.TSCM_FIELD_KEYS = (Fernet.generate_key().decode(),)
    assert alice.get(address(Device, "changelist")).status_code == 200
    assert alice.get(address(Device, "change", device.pk)).status_code == 200
    assert change(alice, device, note="rack 7", upload_proxy_password="new").status_code == 302
    device = Device.objects.get()
    assert (device.note, device.upload_proxy_password) == ("rack 7", "new")


def test_a_feed_whose_file_is_gone_says_so(alice: Client, now: datetime) -> None:
    site = make_site(now=now)
    feed_path(site.snapshot.feeds.get(list="block").digest, ".txt").unlink()
    shown = alice.get(address(Device, "feed", site.device.pk)).content.decode()
    assert "The feed cannot be read" in shown
    assert "8.8.4.4" in shown  # the other one is still shown


def test_many_devices_are_removed_at_once(alice: Client) -> None:
    add(alice)
    add(alice, nickname="fmc-8", device_id="tdid_8", block_list="other.example.net")
    chosen = list(Device.objects.values_list("pk", flat=True))
    data = {"action": "delete_selected", "_selected_action": chosen}
    asked = alice.post(address(Device, "changelist"), data)
    assert "device fmc-8" in asked.content.decode()
    assert Device.objects.count() == 2
    alice.post(address(Device, "changelist"), {**data, "post": "yes"})
    assert not Device.objects.exists()
    assert not Policy.objects.exists()
    assert Change.objects.filter(verb="remove").count() == 2


def test_what_a_device_keeps_protected_is_in_no_bulk_deletion(alice: Client, now: datetime) -> None:
    make_site(now=now)
    chosen = list(ProtectedAddress.objects.values_list("pk", flat=True))
    data = {"action": "delete_selected", "_selected_action": chosen, "post": "yes"}
    assert alice.post(address(ProtectedAddress, "changelist"), data).status_code == 403
    assert ProtectedAddress.objects.exists()


def test_a_policy_that_is_followed_meanwhile_stays_and_the_page_says_why(
    alice: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(now=now)
    # As if the device came between the question and the answer.
    monkeypatch.setattr("policies.admin.policy.PolicyAdmin.held_by", lambda *_: None)
    url = address(Policy, "delete", site.policy.pk)
    shown = alice.post(url, {"post": "yes"}, follow=True).content.decode()
    assert "is followed by" in shown
    assert Policy.objects.exists()


def test_a_disabled_source_is_said_to_be(alice: Client, now: datetime) -> None:
    source = make_policy(now=now).sources.get()
    Source.objects.update(is_enabled=False)
    assert "disabled" in alice.get(address(Source, "changelist")).content.decode()
    assert "it is disabled" in alice.get(address(Source, "change", source.pk)).content.decode()


@pytest.mark.parametrize(
    ("status", "complete", "words"),
    [(304, True, "304 unchanged"), (403, True, "403 not allowed"), (200, False, "200 cut short"),
     (503, True, "503 not ready"), (418, True, "418 other")],
)  # fmt: skip
def test_a_pull_says_how_it_ended(
    status: int, complete: bool, words: str, alice: Client, now: datetime
) -> None:
    make_site(now=now)
    Pull.objects.update(status=status, is_complete=complete)
    assert words in alice.get(address(Pull, "changelist")).content.decode()


def test_a_token_is_seen_without_its_text_and_deleted(alice: Client, now: datetime) -> None:
    user = User.objects.get(username="alice")
    made = create_token(user=user, name="backup", actor="test", now=now - timedelta(days=1))
    shown = alice.get(address(ApiToken, "changelist")).content.decode()
    shown += alice.get(address(ApiToken, "change", made.token.pk)).content.decode()
    assert "backup" in shown
    assert "whatever its user may do" in shown
    assert made.text not in shown
    assert made.token.digest not in shown
    assert alice.get(address(ApiToken, "add")).status_code == 403
    alice.post(address(ApiToken, "delete", made.token.pk), {"post": "yes"})
    assert not ApiToken.objects.exists()
    assert Change.objects.filter(actor="console:alice", subject="token backup").exists()
