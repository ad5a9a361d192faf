"""Alarms in Chromium: a person is told, looks, and says that he has seen it."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from policies.models import Alarm, AlarmTarget
from policies.services import due_targets, keep_alarms, tell_target
from policies.states import AlarmKind
from tests.console.pages import make_site
from tests.fakes.webhook import WebhookReceiver

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def fall_silent() -> None:
    """Open an alarm of the firewall of the site, and tell who is to be told."""
    cause = (AlarmKind.STOPPED_PULLING, "device fmc-1")
    wanted = {cause: "fmc-1 pulled last 2026-11-21 08:00 UTC."}
    keep_alarms(kinds=[cause[0]], wanted=wanted, now=timezone.now())
    for pk in due_targets(now=timezone.now()):
        tell_target(target_id=pk, clock=timezone.now)


def test_a_webhook_is_set_up_told_and_what_it_tells_of_is_acknowledged(console: Page) -> None:
    make_site(now=timezone.now())
    AlarmTarget.objects.all().delete()
    Alarm.objects.all().delete()
    with WebhookReceiver() as receiver:
        console.goto("/admin/")
        console.get_by_role("link", name="Who is told").click()
        console.get_by_role("link", name="Add alarm target").first.click()
        console.get_by_label("Name").fill("itsm")
        console.get_by_label("Kind").first.select_option("webhook")
        given = {"url": receiver.url(), "allow_internal": ["127.0.0.1"]}
        console.locator("#id_settings").fill(json.dumps(given))
        console.get_by_role("button", name="Save", exact=True).click()
        receiver.secrets = [console.locator("code.secret").inner_text()]
        console.get_by_role("link", name="Go on to the target").click()
        console.get_by_role("button", name="Send a test").click()
        expect(console.get_by_text("The test arrived")).to_be_visible()
        expect(console.get_by_text("reached", exact=True)).to_be_visible()
        fall_silent()
        assert [hook.body["type"] for hook in receiver.hooks] == ["alarms.test", "alarms.changed"]
    console.goto("/admin/")
    console.get_by_role("link", name="1 open alarm").click()
    console.get_by_role("link", name="firewall stopped pulling").click()
    expect(console.get_by_text("Look at the feed's state on the firewall")).to_be_visible()
    expect(console.get_by_role("link", name="Show the device")).to_be_visible()
    console.get_by_label("Note").fill("The network team is at it")
    console.keyboard.press("Enter")
    expect(console.get_by_text("it stays open, and calls no more")).to_be_visible()
    expect(console.get_by_text("The network team is at it")).to_be_visible()
    expect(console.get_by_role("link", name="open alarm")).to_have_count(0)
