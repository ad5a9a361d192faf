"""What holds for every page: it opens, asks no other host, and says what a browser may load."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device, Pull
from enforcement.models import Application
from logs.models import Batch, Forward, Receiver, Sender, Spool
from policies.models import Alarm, Change, Policy, ProtectedAddress, Retrieval, Snapshot, Source
from tests.console.pages import MODELS, add_pages, address, all_pages, make_site

pytestmark = pytest.mark.django_db
HISTORY = (
    Pull, Application, Spool, Batch, Forward, Sender, Receiver, Snapshot, Retrieval, Alarm, Change,
)  # fmt: skip


def test_every_page_opens_for_an_administrator(alice: Client, now: datetime) -> None:
    for page in [*all_pages(make_site(now=now)), *add_pages()]:
        assert alice.get(page).status_code == 200, page


def test_every_page_opens_for_somebody_who_may_only_look(victor: Client, now: datetime) -> None:
    for page in all_pages(make_site(now=now)):
        assert victor.get(page).status_code == 200, page


def test_nobody_reaches_a_page_without_signing_in(client: Client, now: datetime) -> None:
    for page in [*all_pages(make_site(now=now)), *add_pages()]:
        answer = client.get(page)
        assert answer.status_code == 302, page
        assert answer.headers["Location"].startswith(reverse("admin:login")), page


def test_somebody_without_rights_sees_no_page_but_the_first(charlie: Client, now: datetime) -> None:
    site = make_site(now=now)
    for page in [*all_pages(site), *add_pages()]:
        if page == reverse("admin:index"):
            shown = charlie.get(page).content.decode()
            assert "may sign in, but not see devices" in shown
            assert site.device.nickname not in shown
            assert site.policy.name not in shown
        else:
            assert charlie.get(page).status_code == 403, page


def test_no_page_asks_another_host_or_runs_inline_script(alice: Client, now: datetime) -> None:
    site = make_site(now=now)
    pages = [*all_pages(site), *add_pages(), reverse("admin:login"), reverse("api-docs")]
    feeds = "192.0.2.1:8001"  # a link to be clicked, on the page that shows the feeds
    for page in pages:
        answer = (Client() if page == reverse("admin:login") else alice).get(page)
        html = answer.content.decode()
        for link in re.findall(r"""(?:src|href|action)=["']([^"']+)["']""", html):
            assert urlsplit(link).netloc in {"", feeds}, f"{page} refers to {link}"
        for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL):
            is_data = "application/json" in attributes
            assert "src=" in attributes or is_data or not body.strip(), f"{page} has {body[:80]}"
        assert not re.search(r"\son(click|change|submit|load)=", html), page


@pytest.mark.parametrize("model", HISTORY)
def test_what_happened_can_be_neither_added_changed_nor_deleted(
    model: type, alice: Client, now: datetime
) -> None:
    make_site(now=now)
    row = model.objects.order_by("pk").first()  # type: ignore[attr-defined]
    assert alice.get(address(model, "add")).status_code == 403
    assert alice.post(address(model, "change", row.pk), {}).status_code == 403
    assert alice.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", MODELS)
def test_a_row_that_is_not_there_is_no_error(model: type, alice: Client) -> None:
    assert alice.get(address(model, "change", 999_999)).status_code == 302
    assert alice.get(address(model, "history", 999_999)).status_code == 404


def test_the_side_bar_leads_only_where_a_person_may_go(victor: Client, charlie: Client) -> None:
    assert address(Device, "changelist") in victor.get("/admin/").content.decode()
    shown = charlie.get("/admin/").content.decode()
    for model in (Device, Policy, Source, ProtectedAddress):
        assert address(model, "changelist") not in shown
