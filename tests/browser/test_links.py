"""A device that a portal steers, at its page: what comes from there, and what is set here."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from devices.models import Device
from devices.services import settings_of
from tests.factories import make_device, make_policy, publish
from tests.fleet.link.rows import make_link, make_place

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_setting_of_the_portal_is_read_only_and_may_be_set_here_instead(console: Page) -> None:
    now = timezone.now()
    policy = make_policy(now=now)
    publish(policy, now=now)
    device = make_device(policy=policy, now=now, nickname="fmc-berlin")
    make_link(device, now=now, place=make_place())
    console.goto(f"/admin/devices/device/{device.pk}/change/")
    panel = console.locator("#link")
    expect(panel).to_contain_text("Web Automation")
    expect(panel).to_contain_text("192.0.2.53, zones of tscm.internal")
    size = console.get_by_label("Log rotate size")
    expect(size).to_be_disabled()
    expect(size).to_have_value("250000")
    panel.get_by_label("Set here instead").select_option("log_size")
    panel.get_by_label("to", exact=True).fill("300k")
    panel.get_by_role("button", name="Override").click()
    expect(console.get_by_text("log_size is set here now")).to_be_visible()
    assert settings_of(Device.objects.get())["log_size"] == 300_000
    console.locator("#link").get_by_role("button", name="Release log_size").click()
    expect(console.get_by_text("log_size is as the portal says again")).to_be_visible()
    assert settings_of(Device.objects.get())["log_size"] == 250_000


def test_the_list_leads_to_the_form_that_links(console: Page) -> None:
    console.goto("/admin/devices/device/")
    console.get_by_role("link", name="Link a device to a portal").click()
    console.get_by_label("Device ID (tdid)").fill("tdid_1")
    console.get_by_label("Device key").fill("no key")
    console.get_by_label("Portal (host or host:port)").fill("portal.example")
    console.get_by_role("button", name="Link it").click()
    expect(console.get_by_text("this is not a device key")).to_be_visible()
