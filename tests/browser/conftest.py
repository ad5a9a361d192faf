"""A real Chromium on the live server, which must never complain in its console."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from tscm_site.env import Bind

# Playwright's event loop runs in this thread, where Django would refuse to touch the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

USER, PASSWORD = "alice", "correct-horse-battery"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Let no test be told what another one counted."""
    cache.clear()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return one Chromium for all tests."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def administrator(transactional_db: None) -> User:
    """A superuser."""
    return User.objects.create_superuser(USER, password=PASSWORD)


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about; each test ends by looking that it is empty."""
    return []


@pytest.fixture
def page(
    browser: Browser,
    live_server: LiveServer,
    administrator: User,
    complaints: list[str],
    settings: Settings,
) -> Iterator[Page]:
    """A window on the console of this process."""
    settings.TSCM_FEED_BIND = Bind("127.0.0.1", 8001)
    with opened(browser, live_server.url, complaints) as window:
        yield window


@contextmanager
def opened(browser: Browser, url: str, complaints: list[str]) -> Iterator[Page]:
    """Open a fresh window on a console; a complaint or a foreign host fails the test."""
    context = browser.new_context(
        base_url=url, viewport={"width": 1280, "height": 800}, locale="en-GB"
    )
    window = context.new_page()

    def note_message(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def note_answer(response: Response) -> None:
        if response.status >= 400 or not response.url.startswith((url, "data:")):
            complaints.append(f"{response.status} {response.url}")

    window.on("console", note_message)
    window.on("pageerror", lambda error: complaints.append(str(error)))
    window.on("response", note_answer)
    window.set_default_timeout(10_000)
    yield window
    context.close()
    assert complaints == []


@pytest.fixture
def console(page: Page) -> Page:
    """The start page, signed in."""
    sign_in(page)
    return page


def sign_in(page: Page, *, user: str = USER, password: str = PASSWORD) -> None:
    """Sign in, as the administrator where nobody else is named."""
    page.goto("/admin/login/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")
