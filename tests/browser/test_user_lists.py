"""A list kept in the console, from nothing to its records and back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from policies.models import ListRecord, Source

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_makes_a_list_pastes_into_it_and_removes_what_was_chosen(console: Page) -> None:
    console.locator("#nav-sidebar").get_by_role("link", name="Lists kept here").click()
    console.get_by_role("link", name="New list").click()
    console.locator("#id_name").fill("ours")
    console.get_by_role("button", name="Save").click()
    expect(console.locator("#headline")).to_contain_text("to block")
    console.get_by_role("link", name="Paste or upload").click()
    console.locator("#id_lines").fill("203.0.113.7 # scanner\n203.0.113.9/24\n")
    console.get_by_role("button", name="Save").click()
    expect(console.locator("#refused")).to_contain_text("write 203.0.113.0/24")
    console.locator("#id_lines").fill("203.0.113.7 # scanner\n203.0.113.0/24\n")
    console.get_by_role("button", name="Save").click()
    expect(console.get_by_text("2 added.")).to_be_visible()
    expect(console.locator("#result_list")).to_contain_text("scanner")
    console.locator("#result_list tbody input.action-select").first.check()
    console.locator("select[name=action]").select_option("remove_selected")
    console.get_by_role("button", name="Run").click()
    expect(console.get_by_role("heading", name="Remove 1 record?")).to_be_visible()
    console.get_by_role("button", name="Remove").click()
    expect(console.get_by_text("1 removed.")).to_be_visible()
    assert ListRecord.objects.count() == 1


def test_a_list_is_saved_as_a_file(console: Page) -> None:
    console.goto("/admin/policies/listrecord/new-list/")
    console.locator("#id_name").fill("ours")
    console.get_by_role("button", name="Save").click()
    with console.expect_download() as saved:
        console.get_by_role("link", name="Download CSV").click()
    assert saved.value.suggested_filename == "ours.csv"
    assert saved.value.path().read_text() == "entry,note,expires\n"
    assert Source.objects.get().name == "ours"
