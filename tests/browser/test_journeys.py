"""What an administrator does in the console, from the first sign-in on."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from devices.models import Device
from policies.models import Policy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_signs_in_to_an_empty_console_that_teaches(console: Page) -> None:
    expect(console.get_by_role("heading", name="Nothing is served yet")).to_be_visible()
    expect(console.get_by_role("button", name="Make a sample device")).to_be_visible()
    expect(console.get_by_role("link", name="Add a device")).to_be_visible()


def test_makes_the_sample_sees_its_feed_and_removes_it(console: Page) -> None:
    console.get_by_role("button", name="Make a sample device").click()
    expect(console.get_by_text("its feeds are published")).to_be_visible()
    expect(console.locator("#headline")).to_contain_text("sample")
    console.get_by_role("link", name="Show feed").click()
    expect(console.locator("#feed-block pre")).to_contain_text("198.51.100.64/26")
    expect(console.locator("#feed-allow pre")).to_contain_text("203.0.113.80/28")
    console.goto("/admin/")
    console.get_by_role("button", name="Remove the sample").click()
    expect(console.get_by_text("The sample is removed")).to_be_visible()
    expect(console.get_by_role("heading", name="Nothing is served yet")).to_be_visible()
    assert not Device.objects.exists()


def fill_device(page: Page, **values: str) -> None:
    page.goto("/admin/devices/device/add/")
    for name, value in values.items():
        page.locator(f"#id_{name}").fill(value)
    page.get_by_role("button", name="Save", exact=True).click()


def test_adds_a_device_by_the_form(console: Page) -> None:
    fill_device(
        console,
        nickname="fmc-1",
        device_id="tdid_1234abcd",
        management_ip="192.0.2.10",
        block_list="basic.example.net",
        dns_server="192.0.2.53",
    )
    console.wait_for_url("**/admin/devices/device/")
    expect(console.get_by_text("was added successfully")).to_be_visible()
    expect(console.locator("#result_list")).to_contain_text("nothing published yet")
    device = Device.objects.get()
    assert [source.settings["name"] for source in device.policy.sources.all()] == [
        "basic.example.net"
    ]


def test_a_wrong_value_shows_its_reason_beside_the_field(console: Page) -> None:
    fill_device(console, nickname="fmc-1", device_id="tdid_1234abcd", management_ip="192.0.2.300")
    reason = console.locator("#id_management_ip").locator("xpath=ancestor::div[2]")
    expect(reason).to_contain_text("Use an IPv4 or IPv6 address.")
    expect(console.locator("#id_nickname")).to_have_value("fmc-1")
    assert not Device.objects.exists()


def test_update_now_says_what_happens_and_leaves_the_policy_due(console: Page) -> None:
    console.get_by_role("button", name="Make a sample device").click()
    Policy.objects.update(due_at=None)
    console.get_by_role("button", name="Update now").click()
    expect(console.get_by_text(re.compile("update requested"))).to_be_visible()
    assert Policy.objects.get().due_at is not None


def test_filters_the_devices_by_health(console: Page) -> None:
    console.get_by_role("button", name="Make a sample device").click()
    console.goto("/admin/devices/device/")
    console.locator("#changelist a", has_text="Filters").click()
    console.get_by_role("link", name="waiting for its first pull").click()
    console.wait_for_url("**/?health=never-pulled")
    expect(console.locator("#result_list")).to_contain_text("sample-fmc")


def test_the_api_describes_itself_without_another_host(console: Page) -> None:
    console.locator("#nav-sidebar a[href$='/docs/']").click()
    expect(console.get_by_role("heading", name="TSCM API")).to_be_visible()
    console.locator("#operations-tag-devices").click()
    expect(console.get_by_text("/api/v1/devices/", exact=True).first).to_be_visible()


def test_a_feed_url_is_copied(console: Page) -> None:
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    console.get_by_role("button", name="Make a sample device").click()
    console.get_by_role("button", name="Copy").first.click()
    expect(console.get_by_role("button", name="Copied")).to_be_visible()
    copied = console.evaluate("navigator.clipboard.readText()")
    assert copied == "http://127.0.0.1:8001/tdid_sample00/threatstop-block.txt"
