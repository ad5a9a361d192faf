"""A second factor is set up and asked for, and a session elsewhere is ended."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts import one_time_codes
from tests.accounts.conftest import phone_of
from tests.browser.conftest import PASSWORD, USER, opened, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
BAD = {"serious", "critical"}


def _password(page: Page) -> None:
    page.goto("/admin/login/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def _faults(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}" for one in found if one["impact"] in BAD]


def test_sets_up_a_phone_with_the_keyboard_and_signs_in_with_it(console: Page) -> None:
    console.goto("/admin/own/")
    console.get_by_role("link", name="Set it up").click()
    console.get_by_text("The app cannot read it").click()
    secret = console.locator("#secret").inner_text().replace(" ", "")
    console.get_by_label("Your password, once more").fill(PASSWORD)
    console.get_by_label("Code of six digits").fill(one_time_codes.code_at(secret, timezone.now()))
    console.keyboard.press("Enter")
    codes = console.locator("#recovery-codes code")
    expect(codes).to_have_count(10)
    recovery_code = codes.first.inner_text()
    console.get_by_role("link", name="I have kept them").click()
    expect(console.locator("#second-factor")).to_contain_text("10 recovery codes left")
    console.context.clear_cookies()
    _password(console)
    console.wait_for_function("document.activeElement.id === 'code'")
    console.keyboard.type(recovery_code)
    console.keyboard.press("Enter")
    console.wait_for_url("**/admin/")
    expect(console.get_by_text("9 are left")).to_be_visible()


def test_ends_a_session_elsewhere(
    console: Page, browser: Browser, live_server: LiveServer, complaints: list[str]
) -> None:
    with opened(browser, live_server.url, complaints) as elsewhere:
        sign_in(elsewhere)
        console.goto("/admin/own/")
        console.get_by_role("button", name="End all others").click()
        expect(console.get_by_text("1 other sessions have ended")).to_be_visible()
        elsewhere.goto("/admin/own/")
        expect(elsewhere.get_by_label("Password")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    browser: Browser, live_server: LiveServer, administrator: User, theme: str
) -> None:
    context = browser.new_context(base_url=live_server.url, color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    faults = {}
    page.goto("/admin/login/")
    faults["sign-in"] = _faults(page)
    _password(page)
    page.wait_for_url("**/admin/")
    for path in ("own/", "login/set-up/", "accounts/session/"):
        page.goto(f"/admin/{path}")
        faults[path] = _faults(page)
    phone_of(administrator)
    context.clear_cookies()
    _password(page)
    faults["code"] = _faults(page)
    for _ in range(5):
        page.get_by_label("Code").fill("000000")
        page.keyboard.press("Enter")
        page.wait_for_load_state()
    expect(page.get_by_role("alert")).to_contain_text("Too many sign-ins failed")
    faults["locked"] = _faults(page)
    context.close()
    assert not any(faults.values()), faults
