"""The page that answers for an address, and the question at the top of every page."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from policies.models import Policy, ProtectedAddress, Source
from policies.services import refresh_policy
from policies.states import Role
from tests.console.pages import address, all_pages, make_site
from tests.factories import make_device, make_policy, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def ask(client: Client, text: str = "", **more: str) -> str:
    asked = {"address": text} if text else {}
    answer = client.get(reverse("console:why"), {**asked, **more})
    assert answer.status_code == 200
    return plain(answer.content.decode())


def plain(html: str) -> str:
    """Return what is read on a page, its spaces single."""
    body = html.partition('<div id="content"')[2]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


@pytest.fixture
def policy(now: datetime) -> Policy:
    ProtectedAddress.objects.create(network="5.6.9.9", reason="the office")
    policy = make_policy(now=now, name="edge", block=["9.1.1.1", "5.6.0.0/16"], allow=["5.6.7.8"])
    make_device(policy=policy, now=now, nickname="fmc-berlin")
    publish(policy, now=now)
    return policy


def test_an_empty_page_teaches_what_to_ask(alice: Client) -> None:
    shown = ask(alice)
    assert "Ask about any address" in shown
    assert "192.0.2.0/24" in shown


def test_a_blocked_address_is_told_with_its_line_and_its_devices(
    alice: Client, policy: Policy
) -> None:
    shown = ask(alice, "5.6.1.2")
    source = Source.objects.get(policy_sources__role=Role.BLOCK)
    assert "5.6.1.2 is blocked" in shown
    assert "It is blocked by the only policy, on the only device." in shown
    assert f"{source.name} block 5.6.0.0/16 2" in shown
    assert "fmc-berlin blocked edge #1" in shown


@pytest.mark.parametrize(
    ("asked", "because"),
    [
        ("5.6.7.8", "allowed : {allow} , 5.6.7.8 line 1"),
        ("5.6.9.9", "protected : 5.6.9.9: the office"),
    ],
)
def test_what_keeps_an_address_out_is_told(
    asked: str, because: str, alice: Client, policy: Policy
) -> None:
    allow = Source.objects.get(policy_sources__role=Role.ALLOW)
    shown = ask(alice, asked)
    assert f"{asked} is not blocked" in shown
    assert f"Kept out of the block list by {because.format(allow=allow.name)}" in shown


def test_a_part_of_a_network_is_called_a_part(alice: Client, policy: Policy) -> None:
    shown = ask(alice, "5.6.7.0/24")
    assert "5.6.7.0/24 is partly blocked A part of it is blocked by the only policy" in shown


def test_an_address_that_nobody_lists_is_said_so(
    alice: Client, policy: Policy, now: datetime
) -> None:
    make_policy(name="other", now=now)
    shown = ask(alice, "8.8.4.1")
    assert "No policy blocks 8.8.4.1." in shown
    assert "No list of 2 policies names it." in shown


def test_a_past_moment_is_told_as_past(alice: Client, policy: Policy, now: datetime) -> None:
    policy.sources.filter(policy_sources__role=Role.BLOCK).update(
        settings={"entries": ["9.1.1.1"]}, shrink_limit=100
    )
    refresh_policy(policy=policy, clock=lambda: now + HOUR, accept_change=True)
    shown = ask(alice, "5.6.1.2")
    assert "No policy blocks 5.6.1.2." in shown
    assert "5.6.0.0/16" in shown.partition("was listed")[0]
    past = ask(alice, "5.6.1.2", at=f"{now + HOUR / 2:%Y-%m-%dT%H:%M}")
    assert "5.6.1.2 was blocked It was blocked by the only policy" in past
    assert "At 2026-11-21 12:30:00 UTC." in past
    assert "has gone since" in past
    assert "no pull of that time is kept" in past


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"text": "example.net"}, "host name"),
        ({"text": "5.6.1.2", "at": "then"}, "'then' is no moment"),
        ({"text": "5.6.1.2", "at": "2126-01-01"}, "lies in the future"),
        ({"text": "<script>alert(1)</script>"}, "markup"),
    ],
)
def test_a_question_that_means_nothing_is_refused_with_the_reason(
    asked: dict[str, str], words: str, alice: Client, policy: Policy
) -> None:
    assert words in ask(alice, **asked)


def test_the_question_is_at_the_top_of_every_page(alice: Client, now: datetime) -> None:
    for page in all_pages(make_site(now=now)):
        shown = alice.get(page).content.decode()
        is_part = "</html>" not in shown
        assert is_part or 'name="address"' in shown, page


def test_the_short_address_leads_to_the_page(alice: Client, policy: Policy) -> None:
    answer = alice.get("/why/?address=5.6.1.2", follow=True)
    assert "5.6.1.2 is blocked" in plain(answer.content.decode())


def test_only_whoever_may_view_policies_may_ask(
    charlie: Client, client: Client, policy: Policy
) -> None:
    page = reverse("console:why")
    assert charlie.get(page).status_code == 403
    assert 'name="address"' not in charlie.get("/admin/").content.decode()
    assert page not in charlie.get("/admin/").content.decode()
    assert client.get(page).status_code == 302


def test_devices_and_lists_are_links_only_for_those_who_may_see_them(
    charlie: Client, policy: Policy
) -> None:
    permissions = User.objects.get(username="charlie").user_permissions
    permissions.set(Permission.objects.filter(codename="view_policy"))
    html = charlie.get(reverse("console:why"), {"address": "5.6.1.2"}).content.decode()
    assert "fmc-berlin" not in html
    assert "5.6.0.0/16" in html
    source = Source.objects.get(policy_sources__role=Role.BLOCK)
    assert address(Source, "change", source.pk) not in html
