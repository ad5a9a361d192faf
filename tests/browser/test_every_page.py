"""Every page in Chromium, light and dark: axe finds nothing serious, and no other host is asked.

What a page asks elsewhere, what its policy blocks and what a script trips over are complaints, and
a complaint fails the test (`opened`). Whoever adds a model or a page has it walked by this test.
"""

from __future__ import annotations

import pytest
from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page

from tests.browser.every_page import make_whole_site

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(600),
]
WALKERS = 3
LOOK = """async (rules) => {
    const asked = rules.length ? {runOnly: rules} : {};
    const found = await axe.run(document, {resultTypes: ["violations"], ...asked});
    return found.violations
        .filter((one) => ["serious", "critical"].includes(one.impact))
        .map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 200)).join(" ")}`);
}"""
TURN = """(theme) => {
    document.documentElement.className = theme;
    for (const one of document.getAnimations()) if (one instanceof CSSTransition) one.finish();
}"""


@pytest.mark.parametrize("walker", range(WALKERS))
def test_axe_finds_nothing_serious_on_any_page_in_light_or_dark(
    walker: int, console: Page, administrator: User, complaints: list[str]
) -> None:
    pages = make_whole_site(administrator, now=timezone.now())
    console.add_init_script(AXE_SCRIPT)
    faults: dict[str, list[str]] = {}
    for page in pages[walker::WALKERS]:
        console.goto(page)
        if console.locator("[data-live-at-once]").count():
            console.wait_for_load_state("networkidle")  # what takes a while comes later
        # Dark is light with other colours.
        for theme, rules in (("light", []), ("dark", ["color-contrast"])):
            console.evaluate(TURN, theme)
            found = console.evaluate(LOOK, rules)
            faults |= {f"{page} {theme}": found} if found else {}
        faults |= {f"{page} complains": [*complaints]} if complaints else {}
        complaints.clear()
    assert faults == {}
