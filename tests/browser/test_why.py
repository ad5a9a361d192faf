"""The question that is always at hand, asked with the keyboard alone."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.factories import make_device, make_policy, publish

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_asks_from_any_page_with_the_keyboard_alone(console: Page) -> None:
    now = timezone.now()
    policy = make_policy(now=now, name="edge", block=["5.6.0.0/16"], allow=["5.6.7.8"])
    make_device(policy=policy, now=now, nickname="fmc-berlin")
    publish(policy, now=now)
    console.keyboard.press("/")
    console.keyboard.type("5.6.7.8")
    console.keyboard.press("Enter")
    verdict = console.get_by_role("heading", name="5.6.7.8 is not blocked")
    expect(verdict).to_be_visible()
    expect(console.get_by_text("Kept out of the block list by")).to_be_visible()
    console.get_by_label("Address, network or range").fill("5.6.1.0/24")
    console.keyboard.press("Enter")
    expect(console.get_by_role("heading", name="5.6.1.0/24 is blocked")).to_be_visible()
    expect(console.locator("#why-devices")).to_contain_text("fmc-berlin")


def test_is_told_what_a_slip_of_the_pen_means(console: Page) -> None:
    console.goto("/why/?address=5.6.7")
    expect(console.get_by_role("alert")).to_contain_text("incomplete address")
    console.wait_for_function("document.activeElement.id === 'why-address'")
