"""The page of a device: what takes a while comes by itself, and leads on to the line."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.logs.hits_site import make_hits

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_device_leads_from_what_it_dropped_to_the_line(console: Page) -> None:
    site = make_hits(now=timezone.now())
    console.goto(f"/admin/devices/device/{site.berlin.pk}/change/")
    dropped = console.locator("#hits")
    expect(dropped).to_contain_text("6 inbound dropped")
    expect(dropped.get_by_role("img", name=re.compile("6 inbound, 3 outbound"))).to_be_visible()
    dropped.get_by_title("The line").first.click()
    expect(console).to_have_url(re.compile("/admin/reports/lines/"))


def test_why_is_asked_on_the_page_of_a_device(console: Page) -> None:
    site = make_hits(now=timezone.now())
    console.goto(f"/admin/devices/device/{site.oslo.pk}/change/")
    console.get_by_label("Address, network or range").fill("203.0.113.9")
    console.get_by_label("Address, network or range").press("Enter")
    rows = console.locator("#why-devices tbody tr")
    expect(rows.first).to_contain_text("fmc-oslo")
