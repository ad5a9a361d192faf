"""A fleet steered in a browser: an entry added, many changed at once, a rollout begun."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from fleet.models import Entry, RolloutState
from tests.fleet.edges.portal import be_portal
from tests.fleet.edges.rows import make_entry, make_group, report, written

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def portal(settings: Settings, tmp_path: Path) -> None:
    be_portal(settings, tmp_path)


def test_an_entry_is_added_and_its_command_is_at_hand(console: Page) -> None:
    make_group("north", now=datetime.now(tz=UTC))
    console.locator("#nav-sidebar a[href='/admin/fleet-overview/']").click()
    console.get_by_role("link", name="Add a device entry").click()
    console.locator(".kinds").get_by_role("link", name="Linux gateway").click()
    console.get_by_label("Nickname").fill("gw-berlin")
    console.locator("#id_group").select_option(label="north")
    console.locator("#id_set_verdict").select_option("reject")
    console.get_by_role("button", name="Save", exact=True).click()
    entry = Entry.objects.get()
    command = console.locator("#command")
    expect(command).to_contain_text(f"--device_id={entry.device_id} --auto_key=tscmdk1_")
    console.get_by_role("button", name="Copy").click()
    expect(console.locator("button[data-copy]")).to_have_text("Copied")
    console.get_by_role("link", name="Go on to gw-berlin").click()
    row = console.locator("#effective tr", has_text="verdict")
    expect(row).to_contain_text("reject")
    expect(row).to_contain_text("entry")
    expect(console.locator("#headline")).to_contain_text("never linked")


def test_many_are_changed_once_it_was_seen_what_that_does(console: Page) -> None:
    for name in ("a", "b", "c"):
        make_entry(now=datetime.now(tz=UTC), nickname=f"gw-{name}")
    console.goto("/admin/fleet/entry/")
    console.locator("#action-toggle").check()
    console.locator("select[name=action]").select_option("bulk_change")
    console.locator("button[name=index], button:has-text('Run')").first.click()
    console.get_by_label("Settings").fill("verdict = reject")
    console.get_by_role("button", name="Show what it does").click()
    expect(console.locator("#preview")).to_contain_text("3 change, 0 stay")
    expect(console.locator("#preview")).to_contain_text("gw-b")
    console.get_by_role("button", name="Change 3 entries").click()
    expect(console.get_by_text("3 entries changed")).to_be_visible()
    assert Entry.objects.filter(settings={"verdict": "reject"}).count() == 3


def test_a_rollout_goes_to_its_first_group_and_is_taken_back(console: Page) -> None:
    now = datetime.now(tz=UTC)
    first, _ = make_group("first", now=now), make_group("others", now=now)
    report(written(make_entry(now=now, group=first, nickname="gw-1"), now=now), now=now)
    console.goto("/admin/fleet/rollout/add/")
    console.get_by_label("Name").fill("reject")
    console.get_by_label("Settings").fill("verdict = reject")
    console.locator("#id_canary").select_option(label="first")
    console.locator("#id_onward").select_option(label="others", force=True)
    console.get_by_role("button", name="Save", exact=True).click()
    console.get_by_role("link", name="reject").first.click()
    console.get_by_role("button", name="Start").click()
    expect(console.locator("#headline")).to_contain_text(str(RolloutState.CANARY.label))
    expect(console.locator("#trial")).to_contain_text("gw-1")
    expect(console.locator("#trial")).to_contain_text("not written yet")
    console.get_by_role("button", name="Undo").click()
    expect(console.locator("#headline")).to_contain_text(str(RolloutState.UNDONE.label))
