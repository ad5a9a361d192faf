"""An administrator adds a preset in two clicks, and tries a source before saving it."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from policies.models import Policy, Source
from tests.factories import make_policy
from tests.fakes.webserver import WebServer, text

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_two_clicks_add_a_preset(console: Page) -> None:
    make_policy(now=timezone.now(), name="edge-block")
    console.get_by_role("link", name="Presets").click()
    row = console.get_by_role("row").filter(has_text="Tor exit nodes")
    row.get_by_role("link", name="Add…").click()
    console.get_by_label("Policy that takes it").select_option("edge-block")
    console.get_by_role("button", name="Add", exact=True).click()
    expect(console.get_by_text("Policy edge-block takes it")).to_be_visible()
    assert Policy.objects.get().sources.filter(name="Tor exit nodes").exists()


def test_what_a_trial_found_stands_below_the_form_which_stays_as_typed(console: Page) -> None:
    with WebServer(lambda _: text("9.9.8.0/24", "10.0.0.0/8")) as server:
        settings = json.dumps({"url": server.url(), "allow_internal": ["127.0.0.1"]})
        console.goto("/admin/policies/source/add/")
        console.locator("#id_name").fill("mine")
        console.locator("#id_kind").select_option("http")
        console.locator("#id_settings").fill(settings)
        console.get_by_role("button", name="Try it").click()
        expect(console.locator("#trial-here")).to_contain_text("the list came")
    expect(console.locator("#trial-here")).to_contain_text("Private or special-purpose")
    expect(console.locator("#id_name")).to_have_value("mine")
    assert not Source.objects.exists()
    console.get_by_role("button", name="Save", exact=True).click()
    console.wait_for_url("**/admin/policies/source/")
    assert Source.objects.get().settings["url"] == server.url()
