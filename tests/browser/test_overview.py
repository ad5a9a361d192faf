"""The overview in Chromium: it keeps itself up to date, and disturbs nobody who reads it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from devices.models import Device
from enforcement.models import Question
from enforcement.services import ask, inquiries
from policies.models import Source
from tests.browser.conftest import sign_in
from tests.browser.site import drop
from tests.console.pages import make_site
from tests.enforcement.rows import CHECK, enforce
from tests.factories import make_device, make_policy, publish

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
A_LOOK = 16_000  # milliseconds: longer than the page waits, and shorter than it waits for an answer
LATE = timedelta(hours=5)


@pytest.fixture
def overview(page: Page) -> Page:
    """The overview of a site where all is well, its clock in the hands of the test."""
    make_site(now=timezone.now())
    page.clock.install()
    sign_in(page)
    expect(page.get_by_text("All 2 devices are protected.")).to_be_visible()
    return page


def look_until(overview: Page, place: Locator, text: str) -> None:
    """Let the page look until a place on it says so; after a look that ends late comes another."""
    for _ in range(5):
        overview.clock.run_for(A_LOOK)
        with suppress(AssertionError):
            expect(place).to_contain_text(text, timeout=2_000)
            return
    raise AssertionError(f"no look made it say {text!r}: {place.all_text_contents()}")


def fall_silent() -> None:
    Device.objects.filter(nickname="fmc-1").update(last_pull_at=timezone.now() - LATE)


def test_the_page_turns_by_itself_and_leaves_the_focus_where_it_is(overview: Page) -> None:
    link = overview.locator("#devices").get_by_role("link", name="gw-1", exact=True)
    link.focus()
    overview.evaluate("document.body.dataset.mark = 'the same page'")
    fall_silent()
    look_until(overview, overview.locator("body"), "1 of 2 devices is not protected: fmc-1")
    expect(link).to_be_focused()
    assert overview.evaluate("document.body.dataset.mark") == "the same page"


def test_what_somebody_has_marked_stays_until_it_is_let_go(overview: Page) -> None:
    overview.locator("#devices tbody tr").first.select_text()
    fall_silent()
    look_until(overview, overview.locator("body"), "1 of 2 devices is not protected")
    expect(overview.locator("#devices")).not_to_contain_text("stopped pulling")
    overview.evaluate("getSelection().removeAllRanges()")
    look_until(overview, overview.locator("#devices"), "stopped pulling")


def test_a_lost_connection_is_said_and_so_is_its_return(
    overview: Page, complaints: list[str]
) -> None:
    said = overview.get_by_role("status")
    overview.route("**/overview/**", lambda route: route.abort())
    look_until(overview, said, "the console gives no answer")
    overview.unroute("**/overview/**")
    look_until(overview, said, "keeps itself up to date")
    complaints.clear()  # Chromium tells of the request that was not answered


def test_who_is_signed_out_is_asked_to_sign_in_and_the_page_stands_still(overview: Page) -> None:
    overview.context.clear_cookies()
    look_until(overview, overview.get_by_role("status"), "You are signed out")
    asked: list[str] = []
    overview.on("request", lambda request: asked.append(request.url))
    for _ in range(10):
        overview.clock.run_for(A_LOOK)
    assert asked == []


def test_what_was_dropped_follows_the_page_and_leads_to_the_report(console: Page) -> None:
    now = timezone.now()
    policy = make_policy(now=now, block=["93.184.0.0/16"])
    publish(policy, now=now)
    device = make_device(policy=policy, now=now, nickname="fmc-1")
    drop(device, by=Source.objects.get(), now=now, events=200, seed=1)
    console.goto("/admin/")
    hits = console.locator("#hits")
    expect(hits.get_by_role("img")).to_be_visible()
    console.get_by_role("link", name="30 days").focus()
    console.keyboard.press("Enter")
    expect(hits.locator("figcaption")).to_contain_text("last 30 days")
    hits.get_by_role("link", name="93.184.0.7").click()
    console.wait_for_url("**/admin/reports/?last=30d&outside=93.184.0.7")


def test_from_nothing_to_a_device_whose_steps_are_ticked_off(page: Page) -> None:
    page.clock.install()
    sign_in(page)
    page.get_by_role("link", name="Set up the first device").click()
    page.get_by_role("link", name="Cisco Firepower").click()
    page.get_by_label("Device management IP").fill("192.0.2.10")
    page.get_by_role("button", name="Add it, and show the steps").click()
    device = Device.objects.get()
    expect(page.get_by_text("0 of 4 steps are done.")).to_be_visible()
    expect(page.locator("#url-block")).to_have_text(
        f"http://127.0.0.1:8001/{device.device_id}/threatstop-block.txt"
    )
    help_of = page.locator(".step", has_text="It fetches the block list").locator("summary")
    help_of.click()
    policy = make_policy(now=timezone.now(), block=["8.8.4.0/24"])
    publish(policy, now=timezone.now())
    Device.objects.update(policy=policy)
    page.clock.run_for(6_000)
    expect(page.get_by_text("1 of 4 steps are done.")).to_be_visible()
    # What was opened stays open.
    expect(page.get_by_text("Can the management center reach port 8001").first).to_be_visible()


def test_from_nothing_to_a_gateway_whose_steps_are_ticked_off(page: Page) -> None:
    page.clock.install()
    sign_in(page)
    page.goto("/admin/first-run/")
    page.get_by_role("link", name="Linux gateway").click()
    page.get_by_label("Machine that enforces").fill("gw-9")
    page.get_by_role("button", name="Add it, and show the steps").click()
    device = Device.objects.get()
    expect(page.get_by_text("0 of 5 steps are done.")).to_be_visible()
    expect(page.locator("#do-check")).to_have_text(f".venv/bin/tsadmin check {device}")
    policy = make_policy(now=timezone.now(), block=["8.8.4.0/24"])
    publish(policy, now=timezone.now())
    Device.objects.update(policy=policy)
    kernel = enforce(device, now=timezone.now())
    page.clock.run_for(6_000)
    expect(page.get_by_text("3 of 5 steps are done.")).to_be_visible()
    asked = ask(gateway=kernel, question=Question.CHECK, actor="test", now=timezone.now())
    proved = replace(CHECK, ok=True)
    inquiries.answer(asked, found=proved.json(), error="", now=timezone.now())
    page.clock.run_for(6_000)
    expect(page.get_by_text("4 of 5 steps are done.")).to_be_visible()
