"""A report in the browser: asked, narrowed, followed to one line, saved and printed."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings

from logs.models import SavedReport
from logs.reports.places import closed_batch
from tests.fakes.events import Made, write_events
from tests.logs.hits_site import RAW, make_hits
from tests.logs.rows import make_batch, make_spool

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_report_is_followed_to_the_line_behind_it(
    console: Page, settings: Settings, tmp_path: Path
) -> None:
    settings.TSCM_LOG_DIR = tmp_path / "log"
    now = timezone.now()
    site = make_hits(now=now)
    batch = make_batch(make_spool(site.berlin, now=now), 1, 1, at=now)
    path = closed_batch(batch).path
    path.parent.mkdir(parents=True)
    path.write_text(f"{RAW}\n")
    seen = now - timedelta(minutes=30)
    made = Made(seen, list=site.botnets, entry="198.51.100.0/24", snapshot=site.snapshot,
                batch=batch, offset=0, size=len(RAW))  # fmt: skip
    write_events(site.berlin, [made])

    console.locator("#nav-sidebar").get_by_role("link", name="Reports").first.click()
    expect(console.locator("#by-list")).to_contain_text("botnets")
    expect(console.get_by_role("img", name=re.compile("9 inbound, 3 outbound"))).to_be_visible()
    console.get_by_label("Ports", exact=True).fill("https")
    console.get_by_role("button", name="Show").click()
    expect(console.get_by_text("'https' is no port")).to_be_visible()
    expect(console.get_by_label("Ports", exact=True)).to_have_value("https")
    console.get_by_label("Ports", exact=True).fill("443")
    console.get_by_role("button", name="Show").click()
    console.locator("#by-list").get_by_role("link", name="botnets").click()
    expect(console.locator("#totals")).to_contain_text("7inbound")
    console.get_by_role("link", name="Connections", exact=True).click()
    expect(console.locator("#connections tbody tr")).to_have_count(7)
    console.locator("#connections tbody a").first.click()
    expect(console.locator("#line")).to_contain_text(RAW)
    console.get_by_role("link", name="Why 198.51.100.7, at that time?").click()
    expect(console.get_by_role("heading", name=re.compile("198.51.100.7"))).to_be_visible()


def test_a_report_is_saved_to_be_mailed_and_opened_again(console: Page) -> None:
    make_hits(now=timezone.now())
    console.goto("/admin/reports/?last=7d&direction=out")
    console.get_by_role("link", name="Save or mail it").click()
    console.get_by_label("Name").fill("Out, weekly")
    console.get_by_label("Mailed").select_option("weekly")
    console.get_by_label("Recipients").fill("anna@example.net")
    console.get_by_role("button", name="Save", exact=True).click()
    console.wait_for_url("**/savedreport/")
    row = SavedReport.objects.get()
    assert (row.query, row.recipients) == ("last=7d&direction=out", ["anna@example.net"])
    console.goto("/admin/reports/")
    console.locator("#saved").get_by_role("link", name="Out, weekly").click()
    expect(console.locator("#totals")).to_contain_text("3outbound")


def test_a_printed_report_is_paper_and_no_console(console: Page) -> None:
    make_hits(now=timezone.now())
    console.goto("/admin/reports/")
    console.emulate_media(media="print", color_scheme="dark")
    expect(console.locator("#nav-sidebar")).to_be_hidden()
    expect(console.locator("#report-form")).to_be_hidden()
    expect(console.locator(".report-title")).to_be_visible()
    expect(console.locator("#question")).to_be_visible()
    expect(console.locator(".timeline svg")).to_be_visible()
    colour = console.locator("#by-list td").first.evaluate("e => getComputedStyle(e).color")
    assert colour == "rgb(17, 17, 17)"
    assert console.pdf(format="A4").startswith(b"%PDF")
