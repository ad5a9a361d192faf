"""The start page: teaches when nothing is there, and says what is in trouble when something is."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from devices.models import Device
from policies.models import Change, Policy, Source
from policies.services import find_or_make_source, retrieve_source
from tests.console.pages import make_site
from tests.factories import make_device, make_policy, publish

pytestmark = pytest.mark.django_db
MAKE, DROP = ("console:make-sample", "console:drop-sample")


def start(client: Client) -> str:
    return client.get(reverse("admin:index")).content.decode()


def test_an_empty_installation_teaches(alice: Client) -> None:
    shown = start(alice)
    assert "Nothing is served yet" in shown
    assert "Make a sample device" in shown
    assert reverse("admin:devices_device_add") in shown
    assert reverse("api-docs") in shown


def test_who_may_only_look_is_offered_no_button(victor: Client) -> None:
    assert "Make a sample device" not in start(victor)


def test_the_button_makes_the_sample_and_leads_to_it(alice: Client) -> None:
    answer = alice.post(reverse(MAKE))
    device = Device.objects.get(is_sample=True)
    assert answer.headers["Location"] == reverse("admin:devices_device_change", args=[device.pk])
    assert device.published is not None
    assert "Remove the sample" in start(alice)
    assert Change.objects.filter(actor="console:alice").exists()


def test_the_sample_is_removed_in_one_step(alice: Client) -> None:
    alice.post(reverse(MAKE))
    answer = alice.post(reverse(DROP))
    assert answer.headers["Location"] == reverse("admin:index")
    assert not Device.objects.exists()
    assert not Policy.objects.exists()
    assert not Source.objects.exists()


def test_a_sample_that_cannot_be_made_says_why(alice: Client, now: datetime) -> None:
    make_policy(now=now, name="sample")
    answer = alice.post(reverse(MAKE), follow=True)
    assert "a policy named sample exists" in answer.content.decode()


@pytest.mark.parametrize("name", [MAKE, DROP])
def test_the_sample_is_nothing_for_a_link(name: str, alice: Client) -> None:
    assert alice.get(reverse(name)).status_code == 405
    assert not Device.objects.exists()


@pytest.mark.parametrize("name", [MAKE, DROP])
def test_the_sample_is_nothing_for_who_may_only_look(
    name: str, alice: Client, victor: Client, charlie: Client
) -> None:
    alice.post(reverse(MAKE))
    for person in (victor, charlie):
        assert person.post(reverse(name)).status_code == 403
    assert Device.objects.filter(is_sample=True).count() == 1


@pytest.mark.parametrize("name", [MAKE, DROP])
def test_the_sample_is_nothing_for_another_site(name: str, alice: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = alice.cookies
    assert strict.post(reverse(name)).status_code == 403
    assert not Device.objects.exists()


def test_trouble_comes_first_in_words(alice: Client) -> None:
    now = timezone.now()
    good = make_site(now=now)
    held = make_policy(now=now, block=["92.0.0.0/7"], name="too-wide")
    with pytest.raises(AssertionError):  # the guard lets nothing be published
        publish(held, now=now)
    make_device(policy=held, now=now, nickname="zz-held")
    silent = make_device(policy=good.policy, now=now, nickname="yy-silent")
    Device.objects.filter(pk=silent.pk).update(last_pull_at=now - timedelta(hours=5))
    shown = start(alice)
    places = [shown.index(f">{name}</a>") for name in ("zz-held", "yy-silent", "fmc-1")]
    assert places == sorted(places)
    for words in ("policy held by its guard", "stopped pulling", "protected", "92.0.0.0/7"):
        assert words in shown, words


def test_a_site_of_many_devices_shows_the_worst_and_counts_all(alice: Client) -> None:
    now = timezone.now()
    policy = make_policy(now=now)
    publish(policy, now=now)
    for _ in range(30):
        make_device(policy=policy, now=now)
    shown = start(alice)
    assert "15 of 30 devices" in shown
    assert re.search(r"<b>30</b>\s*<span[^>]*>waiting for its first pull", shown)


def test_failed_retrievals_stand_on_the_start_page(alice: Client, now: datetime) -> None:
    settings = {"name": "basic.example.net", "servers": ["127.0.0.1"], "port": 1}
    source = find_or_make_source(kind="dns", settings=settings, name="nobody listens", now=now)
    retrieve_source(source_id=source.pk, now=now)
    shown = start(alice)
    assert "Last failed retrievals" in shown
    assert "block or allow list basic.example.net could not be fetched" in shown
