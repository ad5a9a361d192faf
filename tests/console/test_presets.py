"""The catalogue in the console: looked at, tried, added in two clicks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from policies.models import Change, Source
from policies.presets import CATALOGUE, PRESETS, Preset
from policies.services.add_preset import add_preset
from policies.services.sources import secrets_of
from policies.states import Role
from tests.console.pages import address
from tests.factories import make_policy
from tests.fakes.webserver import WebServer, text

pytestmark = pytest.mark.django_db
KEY = "spamhaus-drop"
PAGE = reverse("console:presets")
QUERIES = 4  # the session, the user, the alarms, the catalogue


def preset_url(key: str = KEY) -> str:
    return reverse("console:preset", args=[key])


def try_url(key: str = KEY) -> str:
    return reverse("console:try-preset", args=[key])


@pytest.fixture
def local_list(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A list on loopback, as if it were in the catalogue under the key "local"."""
    with WebServer(lambda _: text("9.9.9.9", "9.9.8.0/24")) as server:
        local = Preset(
            key="local",
            name="Local",
            url=server.url(),
            lists="Two.",
            licence="none",
            refresh_minutes=60,
            entries=2,
            # No preset leads inside, so that its settings are texts all.
            layout=(("allow_internal", ("127.0.0.1",)),),  # type: ignore[arg-type]
        )
        monkeypatch.setattr("console.presets.CATALOGUE", {**CATALOGUE, "local": local})
        yield server


def test_the_catalogue_shows_each_preset_with_its_terms_and_where_to_add_it(alice: Client) -> None:
    shown = alice.get(PAGE).content.decode()
    for preset in PRESETS:
        assert preset_url(preset.key) in shown
    for words in ("Spamhaus DROP", "not for commercial use", "hourly", "every 6 hours", "daily"):
        assert words in shown, words
    assert "Many people share these addresses" in shown


def test_two_clicks_add_a_preset_and_hand_it_to_a_policy(alice: Client, now: datetime) -> None:
    policy = make_policy(now=now)
    first = alice.get(preset_url())
    assert CATALOGUE[KEY].licence in first.content.decode()
    answer = alice.post(preset_url(), {"policy": policy.pk, "role": "block"})
    source = Source.objects.get(name="Spamhaus DROP")
    assert answer.headers["Location"] == address(Source, "change", source.pk)
    assert policy.policy_sources.get(source=source).role == Role.BLOCK
    assert set(Change.objects.values_list("actor", flat=True)) == {"console:alice"}
    assert "added" in alice.get(PAGE).content.decode()


def test_it_offers_to_allow_what_is_meant_to_be_allowed(alice: Client) -> None:
    form = alice.get(preset_url("cloudflare-v4")).context["form"]
    assert form["role"].value() == Role.ALLOW


def test_it_is_added_without_a_policy_too(alice: Client) -> None:
    alice.post(preset_url(), {"policy": "", "role": "block"})
    assert not Source.objects.get().policies.exists()


def test_a_key_that_a_preset_needs_is_asked_for_and_kept_secret(alice: Client) -> None:
    url = preset_url("abuseipdb")
    lacking = alice.post(url, {"policy": "", "role": "block", "header_value": ""})
    assert lacking.status_code == 200
    assert "header_value must be given" in lacking.content.decode()
    assert not Source.objects.exists()
    alice.post(url, {"policy": "", "role": "block", "header_value": "k3y"})
    assert secrets_of(Source.objects.get()) == {"header_value": "k3y"}
    assert "k3y" not in alice.get(url).content.decode()


def test_a_refusal_stands_on_the_page_and_nothing_is_made(alice: Client, now: datetime) -> None:
    add_preset(preset=CATALOGUE[KEY], actor="test", now=now)
    again = alice.post(preset_url(), {"policy": "", "role": "block"})
    assert "is added already" in again.content.decode()
    wrong = alice.post(preset_url(), {"policy": "999", "role": "block"})
    assert wrong.context["form"].errors["policy"]
    assert Source.objects.count() == 1


@pytest.mark.usefixtures("local_list")
def test_a_preset_is_tried_before_it_is_added(alice: Client) -> None:
    shown = alice.post(try_url("local")).content.decode()
    for words in ("the list came", "2 entries", "9.9.8.0/24", "Nothing is kept"):
        assert words in shown, words
    assert not Source.objects.exists()


def test_a_preset_without_its_key_is_not_tried(alice: Client) -> None:
    shown = alice.post(try_url("abuseipdb"), {"header_value": ""}).content.decode()
    assert "not tried" in shown
    assert "header_value must be given" in shown


def test_who_may_look_sees_the_catalogue_and_adds_nothing(victor: Client, charlie: Client) -> None:
    shown = victor.get(preset_url()).content.decode()
    assert "You may look, but not add" in shown
    assert "add-preset" not in shown
    assert victor.get(PAGE).status_code == 200
    for url in (preset_url(), try_url()):
        assert victor.post(url, {}).status_code == 403
    for url in (PAGE, preset_url()):
        assert charlie.get(url).status_code == 403
    assert not Source.objects.exists()


def test_nobody_reaches_it_without_signing_in(client: Client) -> None:
    login = reverse("admin:login")
    for url in (PAGE, preset_url()):
        assert client.get(url).headers["Location"].startswith(login)
    assert client.post(try_url()).headers["Location"].startswith(login)


def test_who_may_not_change_policies_hands_it_to_none(now: datetime) -> None:
    user = User.objects.create_user("adder", is_staff=True)
    wanted = Permission.objects.filter(codename__in=["view_source", "add_source"])
    user.user_permissions.set(wanted)
    client, policy = Client(), make_policy(now=now)
    client.force_login(user)
    assert "policy" not in client.get(preset_url()).context["form"].fields
    client.post(preset_url(), {"policy": policy.pk, "role": "block"})
    assert not Source.objects.get(name="Spamhaus DROP").policies.exists()


def test_what_is_no_preset_is_not_found_and_looking_changes_nothing(alice: Client) -> None:
    assert alice.get(preset_url("no-such")).status_code == 404
    assert alice.post(try_url("no-such")).status_code == 404
    assert alice.get(try_url()).status_code == 405
    assert alice.post(PAGE).status_code == 405
    assert not Source.objects.exists()


def test_the_catalogue_takes_as_many_queries_as_written_down(alice: Client, now: datetime) -> None:
    for preset in PRESETS[:10]:
        add_preset(preset=preset, actor="test", now=now)
    alice.get(PAGE)
    with CaptureQueriesContext(connection) as queries:
        assert alice.get(PAGE).status_code == 200
    assert len(queries) == QUERIES


def test_the_side_bar_leads_there_for_who_may_look(victor: Client, charlie: Client) -> None:
    assert f'href="{PAGE}"' in victor.get("/admin/").content.decode()
    assert PAGE not in charlie.get("/admin/").content.decode()
