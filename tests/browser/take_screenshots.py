"""Take the pictures of the documentation: `python -m pytest tests/browser/take_screenshots.py`.

No test: its name keeps it out of the suite. The pictures are written to docs/screenshots, and
`docs/screenshots/README.md` says which journey each of them belongs to.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from devices.models import Device
from fleet.models import Rollout
from policies.models import Alarm, Policy, Snapshot, Source
from tests.accounts.conftest import phone_of
from tests.browser.conftest import PASSWORD, USER, opened, sign_in
from tests.browser.furnished import device_named, furnish
from tests.browser.furnished_fleet import furnish_fleet
from tests.fleet.edges.portal import be_portal

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]
PICTURES = Path(__file__).resolve().parents[2] / "docs" / "screenshots"


def picture(page: Page, name: str, path: str = "") -> None:
    """Take a picture of a page, of the one that is open where none is named."""
    if path:
        page.goto(path)
    page.evaluate(
        "(theme) => localStorage.setItem('adminTheme', JSON.stringify(theme))",
        "dark" if name.endswith("-dark") else "light",
    )
    page.reload(wait_until="networkidle")
    page.screenshot(path=PICTURES / f"{name}.png")


def test_pictures(
    console: Page, browser: Browser, live_server: LiveServer, complaints: list[str],
    settings: Settings, tmp_path: Path,
) -> None:  # fmt: skip
    picture(console, "start-empty", "/admin/")
    furnish()
    picture(console, "start", "/admin/")
    picture(console, "start-dark")
    picture(console, "dropped-dark", "/admin/?span=7d#hits")
    _devices(console)
    _policies(console)
    _logs(console)
    _reports(console)
    _alarms(console)
    _people(console)
    with opened(browser, live_server.url, complaints) as hers:
        sign_in(hers, user="rita", password=PASSWORD)
        picture(hers, "limited", "/admin/")
    with opened(browser, live_server.url, complaints) as hers:
        sign_in(hers)
        be_portal(settings, tmp_path)
        _fleet(hers)
    with opened(browser, live_server.url, complaints) as his:
        _second_factor(his)


def _devices(page: Page) -> None:
    picture(page, "first-run", "/admin/first-run/firepower/")
    picture(page, "set-up", f"/admin/set-up/{device_named('madrid').pk}/")
    picture(page, "devices-dark", "/admin/devices/device/")
    picture(page, "device", f"/admin/devices/device/{device_named('berlin').pk}/change/")
    picture(page, "why", "/admin/why/?address=93.184.9.7")
    gateway = Device.objects.get(nickname="gw-vienna")
    picture(page, "set-up-linux", f"/admin/set-up/{gateway.pk}/")
    picture(page, "gateway", f"/admin/devices/device/{gateway.pk}/change/")
    asked = gateway.gateway.inquiries.get()
    picture(page, "plan-dark", f"/admin/devices/device/{gateway.pk}/inquiries/{asked.pk}/")


def _policies(page: Page) -> None:
    held = Policy.objects.get(name="guest-block")
    edge = Policy.objects.get(name="edge-block")
    picture(page, "policy", f"/admin/policies/policy/{edge.pk}/change/")
    picture(page, "candidate-dark", f"/admin/policies/policy/{held.pk}/change/")
    picture(page, "replay", f"/admin/policies/{held.pk}/replay/?device=fmc-berlin")
    picture(page, "presets", "/admin/presets/")
    scanners = Source.objects.get(name="known scanners")
    picture(page, "source", f"/admin/policies/source/{scanners.pk}/change/")
    snapshot = Snapshot.objects.filter(policy=edge).latest("number")
    picture(page, "snapshot-dark", f"/admin/policies/snapshot/{snapshot.pk}/change/")


def _logs(page: Page) -> None:
    ledger = device_named("lisbon").spool
    picture(page, "logs", "/admin/logs/spool/")
    picture(page, "logs-dark", f"/admin/logs/spool/{ledger.pk}/change/")
    picture(page, "device-logs", f"/admin/devices/device/{ledger.device_id}/change/#logs")


def _reports(page: Page) -> None:
    picture(page, "report", "/admin/reports/?last=30d")
    picture(page, "report-dark")
    picture(page, "connections", "/admin/reports/connections/?last=7d&outside=93.184.9.7")
    page.goto("/admin/reports/connections/?last=7d&device=fmc-oslo")
    page.locator("#connections tbody a").first.click()
    expect(page.locator("#line")).to_contain_text("IPReputationSICategory")
    picture(page, "line")
    picture(page, "saved-reports", "/admin/logs/savedreport/")


def _alarms(page: Page) -> None:
    picture(page, "alarms-dark", "/admin/policies/alarm/")
    silent = Alarm.objects.get(subject="device fmc-oslo")
    picture(page, "alarm", f"/admin/policies/alarm/{silent.pk}/change/")


def _people(page: Page) -> None:
    picture(page, "people", "/admin/auth/user/")
    picture(page, "changes", "/admin/policies/change/")
    picture(page, "own", "/admin/own/")
    picture(page, "second-factor", "/admin/login/set-up/")


def _fleet(page: Page) -> None:
    """Show a portal: after all others, whose side bar has no fleet."""
    entry = furnish_fleet()
    picture(page, "fleet", "/admin/fleet-overview/")
    picture(page, "fleet-dark")
    picture(page, "fleet-entry", f"/admin/fleet/entry/{entry.pk}/change/")
    rollout = Rollout.objects.get()
    picture(page, "fleet-rollout-dark", f"/admin/fleet/rollout/{rollout.pk}/change/")
    page.goto("/admin/fleet/entry/?q=gw")
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("bulk_change")
    page.locator("button:has-text('Run')").first.click()
    page.get_by_label("Settings").fill("verdict = reject")
    page.get_by_role("button", name="Show what it does").click()
    expect(page.locator("#preview")).to_contain_text("change,")
    page.screenshot(path=PICTURES / "fleet-bulk.png")  # a reload would ask to send it again
    page.goto("/admin/fleet/entry/add/?kind=iptables")
    page.get_by_label("Nickname").fill("gw-vilnius")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#command")).to_be_visible()
    page.screenshot(path=PICTURES / "fleet-link.png")


def _second_factor(page: Page) -> None:
    """Show the question for a code, of somebody who has a phone."""
    phone_of(User.objects.get(username=USER))
    page.goto("/admin/login/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/login/code/**")
    picture(page, "code")
