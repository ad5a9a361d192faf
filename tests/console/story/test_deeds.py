"""What is paused on a page, and goes on."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device
from policies.models import Change, Source
from tests.console.pages import address
from tests.console.story.reading import page, words
from tests.logs.hits_site import HitsSite

pytestmark = pytest.mark.django_db


def test_a_source_is_paused_and_goes_on(alice: Client, victor: Client, site: HitsSite) -> None:
    pause, resume = (address(Source, verb, site.botnets.pk) for verb in ("pause", "resume"))
    assert alice.get(pause).status_code == 405
    assert victor.post(pause).status_code == 403
    assert Source.objects.get(pk=site.botnets.pk).is_enabled
    shown = words(alice.post(pause, follow=True).content.decode())
    assert "the list that is held stays in force" in shown
    assert "It is paused" in shown
    assert not Source.objects.get(pk=site.botnets.pk).is_enabled
    assert Change.objects.latest("id").detail == {"is_enabled": [True, False]}
    alice.post(resume)
    assert Source.objects.get(pk=site.botnets.pk).is_enabled
    assert alice.post(address(Source, "pause", 999_999)).status_code == 404


def test_a_device_is_held_at_what_it_has_and_follows_again(
    alice: Client, victor: Client, site: HitsSite
) -> None:
    hold, follow = (address(Device, verb, site.berlin.pk) for verb in ("hold", "follow"))
    assert alice.get(hold).status_code == 405
    assert victor.post(hold).status_code == 403
    shown = words(alice.post(hold, follow=True).content.decode())
    assert "what it is served now stays" in shown
    device = Device.objects.get(pk=site.berlin.pk)
    assert (device.policy_updates, device.pinned_snapshot) == (False, site.snapshot)
    assert "Resume updates" in page(alice, site.berlin)
    alice.post(follow)
    assert Device.objects.get(pk=site.berlin.pk).policy_updates


def test_a_policy_is_paused_at_its_snapshot(alice: Client, victor: Client, site: HitsSite) -> None:
    way = reverse("admin:policies_snapshot_return", args=[site.snapshot.pk])
    assert way in page(alice, site.policy)
    assert way not in page(victor, site.policy)
    alice.post(way)
    assert "Pause at this snapshot" not in page(alice, site.policy)
    assert "Release" in page(alice, site.policy)
