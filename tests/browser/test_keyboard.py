"""Without a mouse: everything is reached, what has the focus is seen, and nothing holds it."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.console.pages import make_site

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MOST_STEPS = 300
# Where the focus is, whether it is seen, and whether it stands within the window.
WHERE = """() => {
    const at = document.activeElement;
    if (at === document.body) return null;
    window.steps ??= new Map();
    if (!window.steps.has(at)) window.steps.set(at, window.steps.size);
    const style = getComputedStyle(at), box = at.getBoundingClientRect();
    return {
        step: window.steps.get(at),
        name: (at.textContent.trim() || at.id || at.name || at.outerHTML).slice(0, 60),
        isSeen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        isWithin: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    };
}"""
MISSED = """() => [
    ...document.querySelectorAll("a[href], button, input, select, textarea, summary")
]
    .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled)
    .filter((one) => one.tabIndex >= 0 && one.type !== "hidden" && !window.steps.has(one))
    .map((one) => one.outerHTML.slice(0, 120))"""


def test_the_first_tab_leads_past_the_side_bar(console: Page) -> None:
    console.keyboard.press("Tab")
    skip = console.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    console.keyboard.press("Enter")
    console.keyboard.press("Tab")
    within = "document.getElementById('content').contains(document.activeElement)"
    assert console.evaluate(within)


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/devices/device/", "/admin/devices/device/1/change/"]
)
def test_tab_reaches_all_there_is_and_comes_back(path: str, console: Page) -> None:
    site = make_site(now=timezone.now())
    console.goto(path.replace("/1/", f"/{site.device.pk}/"))
    console.wait_for_load_state("networkidle")
    unseen = []
    for step in range(MOST_STEPS):
        console.keyboard.press("Tab")
        at = console.evaluate(WHERE)
        if at is None or at["step"] < step:
            break
        if not (at["isSeen"] and at["isWithin"]):
            unseen.append(at["name"])
    else:
        pytest.fail(f"the focus has not come back after {MOST_STEPS} steps")
    assert unseen == []
    assert console.evaluate(MISSED) == []
