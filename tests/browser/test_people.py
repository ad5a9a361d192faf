"""Somebody is added who may see the reports of one site's devices, and sees nothing else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from devices.models import Device, DeviceGroup
from tests.browser.conftest import opened, sign_in
from tests.logs.hits_site import make_hits

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "seven-green-lanterns"


def test_a_report_viewer_of_one_group_sees_its_devices_and_no_other(
    console: Page, browser: Browser, live_server: LiveServer, complaints: list[str]
) -> None:
    site = make_hits(now=timezone.now())
    group = DeviceGroup.objects.create(name="Berlin")
    Device.objects.filter(pk=site.berlin.pk).update(group=group)

    console.locator("#nav-sidebar").get_by_role("link", name="Users").click()
    console.locator("a.addlink, a[href='/admin/auth/user/add/']").first.click()
    console.get_by_label("Username").fill("rita")
    for field in ("#id_password1", "#id_password2"):
        console.locator(field).fill(PASSWORD)
    console.get_by_role("button", name="Save and continue editing").click()
    console.locator("#id_groups_from").select_option(label="report viewer")
    console.locator("#id_groups_add, #id_groups_add_link").click()
    console.get_by_role("button", name="Save", exact=True).click()
    expect(console.locator("#result_list")).to_contain_text("report viewer")
    console.goto(f"/admin/devices/devicegroup/{group.pk}/change/")
    rita = User.objects.get(username="rita")
    console.locator("select[name=people]").select_option(str(rita.pk))
    console.get_by_role("button", name="Save", exact=True).click()
    console.wait_for_url("**/devicegroup/")

    with opened(browser, live_server.url, complaints) as hers:
        sign_in(hers, user="rita", password=PASSWORD)
        expect(hers.locator("#devices")).to_contain_text("fmc-berlin")
        expect(hers.locator("body")).not_to_contain_text("fmc-oslo")
        expect(hers.get_by_role("link", name="Users")).to_have_count(0)
        hers.locator("#nav-sidebar").get_by_role("link", name="Reports").first.click()
        expect(hers.locator("#totals")).to_contain_text("inbound")
        expect(hers.locator("body")).not_to_contain_text("fmc-oslo")
        hers.goto(f"/admin/devices/device/{site.oslo.pk}/change/")
        expect(hers.get_by_text("exist. Perhaps it was deleted?")).to_be_visible()
