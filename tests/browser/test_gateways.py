"""A person at the console adds a Linux gateway, plans, applies, checks and pauses it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from devices.models import Device, Gateway
from enforcement.models import Inquiry
from enforcement.services import CheckAnswer, PlanAnswer, inquiries
from tests.enforcement.rows import CHECK, PLAN, enforce
from tests.factories import make_gateway, make_policy, publish

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def gateway(console: Page) -> Device:
    """A gateway whose kernel holds the published snapshot; its page is open."""
    now = timezone.now()
    policy = make_policy(now=now, name="edge-block")
    publish(policy, now=now)
    device = make_gateway(now=now, policy=policy, nickname="gw-1")
    enforce(device, now=now)
    console.goto(f"/admin/devices/device/{device.pk}/change/")
    return device


def answer(found: PlanAnswer | CheckAnswer) -> None:
    """Answer the open question as an enforcer does."""
    inquiries.answer(Inquiry.objects.get(), found=found.json(), error="", now=timezone.now())


def test_chooses_the_kind_by_keyboard_and_adds_a_gateway(console: Page) -> None:
    console.goto("/admin/devices/device/add/")
    expect(console.get_by_role("link", name="Cisco Firepower")).to_have_attribute(
        "aria-current", "page"
    )
    console.get_by_role("link", name="Linux gateway").focus()
    console.keyboard.press("Enter")
    console.wait_for_url("**/?kind=iptables")
    for name, value in {
        "nickname": "gw-9", "device_id": "tdid_1234abcd", "block_list": "basic.example.net",
        "node": "gw-9.example.net", "canaries": "192.0.2.1",
    }.items():  # fmt: skip
        console.locator(f"#id_{name}").fill(value)
    console.locator("#id_verdict").select_option("reject")
    console.get_by_role("button", name="Save", exact=True).click()
    console.wait_for_url("**/admin/devices/device/")
    expect(console.locator("#result_list")).to_contain_text("gw-9.example.net")
    device = Device.objects.get()
    assert (device.kind, device.verdict, device.canaries) == ("iptables", "reject", ["192.0.2.1"])


def test_plans_waits_for_the_answer_and_applies(console: Page, gateway: Device) -> None:
    console.get_by_role("button", name="Plan").click()
    expect(console.get_by_role("heading", name="Waiting for the enforcer")).to_be_visible()
    answer(replace(PLAN, snapshot=1))
    # The page looks again by itself.
    expect(console.locator("#verdict")).to_contain_text("+1,204")
    expect(console.locator("#entries")).to_contain_text("+198.51.100.0/24")
    console.get_by_role("button", name="Apply now").click()
    expect(console.get_by_text("gw-1: to be applied")).to_be_visible()
    assert Gateway.objects.get().due_at is not None


def test_checks_and_sees_each_step(console: Page, gateway: Device) -> None:
    console.get_by_role("button", name="Check").click()
    expect(console.get_by_role("heading", name="Waiting for the enforcer")).to_be_visible()
    answer(CHECK)
    expect(console.locator("#verdict")).to_contain_text("it does not work")
    expect(console.locator("#steps tbody tr")).to_have_count(3)


def test_pauses_and_resumes(console: Page, gateway: Device) -> None:
    console.get_by_role("button", name="Pause 1 hour").click()
    expect(console.locator("#headline")).to_contain_text("enforcement paused")
    console.get_by_role("button", name="Resume now").click()
    expect(console.get_by_text("gw-1: resumed")).to_be_visible()
    expect(console.locator("#headline")).to_contain_text("protected")
