"""The pages of reports: from a question to the line behind it."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from console import hits
from devices.models import DeviceGroup
from logs.models import SavedReport
from tests.console.test_why import plain
from tests.logs.hits_site import HOUR, HitsSite, make_hits

pytestmark = pytest.mark.django_db
REPORT, CONNECTIONS = "/admin/reports/", "/admin/reports/connections/"


@pytest.fixture
def site(db: None) -> HitsSite:
    return make_hits(now=timezone.now())


def show(client: Client, url: str = REPORT, **query: str | list[str]) -> str:
    answer = client.get(url, query)
    assert answer.status_code == 200
    return answer.content.decode()


def read(client: Client, url: str = REPORT, **query: str | list[str]) -> str:
    return plain(show(client, url, **query))


def links(html: str, text: str) -> list[str]:
    found = re.findall(rf'<a [^>]*href="([^"]*)"[^>]*>\s*{re.escape(text)}\s*</a>', html)
    return [unescape(one) for one in found]


def test_a_report_tells_totals_tables_and_a_timeline(alice: Client, site: HitsSite) -> None:
    html = show(alice)
    shown = plain(html)
    assert "8 inbound 3 outbound 3 inside hosts 3 outside addresses" in shown
    assert "botnets 6 1 1" in shown
    assert "malware 3 1 1" in shown
    assert "no list of ours 2 1 1" in shown
    assert "443/tcp 8" in shown
    assert html.count('class="timeline"') == 1
    assert "last 24 hours" in shown
    assert "What became of it dropped" in shown


def test_a_row_narrows_the_report_and_leads_to_its_connections(
    alice: Client, site: HitsSite
) -> None:
    html = show(alice, inside="10.0.0.0/8")
    (narrowed,) = links(html, "198.51.100.7")
    assert parse_qs(urlsplit(narrowed).query) == {
        "inside": ["10.0.0.0/8"], "outside": ["198.51.100.7"]
    }  # fmt: skip
    assert "6 inbound 0 outbound" in read(alice, f"{REPORT}{narrowed}")
    of_rows = [one for one in links(html, "6") if "outside=198.51.100.7" in one]
    assert of_rows[0].startswith(CONNECTIONS)
    assert "6 connections" in read(alice, of_rows[0])


@pytest.mark.parametrize(
    ("by", "text", "total"),
    [
        ("list", "malware", "0 inbound 3 outbound"),
        ("inside", "10.1.2.4", "0 inbound 3 outbound"),
        ("port", "53/udp", "0 inbound 3 outbound"),
        ("device", "fmc-oslo", "2 inbound 0 outbound"),
        ("direction", "outbound", "0 inbound 3 outbound"),
    ],
)
def test_each_kind_of_row_can_be_narrowed_to(
    alice: Client, site: HitsSite, by: str, text: str, total: str
) -> None:
    (narrowed,) = links(show(alice, by=by), text)
    assert total in read(alice, f"{REPORT}{narrowed}")


def test_an_hour_can_be_narrowed_to(alice: Client, site: HitsSite) -> None:
    hour = (timezone.now() - 5 * HOUR).replace(minute=0, second=0, microsecond=0)
    (narrowed,) = links(show(alice, by="hour"), f"{hour:%Y-%m-%d %H:%M}")
    query = parse_qs(urlsplit(narrowed).query)
    assert query["since"] == [f"{hour:%Y-%m-%dT%H:%M}"]
    assert "1 inbound 0 outbound" in read(alice, f"{REPORT}{narrowed}")


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ({"direction": "out"}, "0 inbound 3 outbound"),
        ({"device": "fmc-oslo"}, "2 inbound 0 outbound"),
        ({"outside": "198.51.100.0-198.51.100.255"}, "6 inbound 0 outbound"),
        ({"ports": "53"}, "0 inbound 3 outbound"),
        ({"except_ports": "1-442, 444-65535"}, "8 inbound 0 outbound"),
        ({"list": "botnets"}, "6 inbound 0 outbound"),
        ({"severity": "3"}, "0 inbound 3 outbound"),
        ({"action": "allowed"}, "1 inbound 0 outbound"),
        ({"action": ["allowed", "dropped"]}, "9 inbound 3 outbound"),
    ],
)
def test_each_filter_filters(
    alice: Client, site: HitsSite, query: dict[str, Any], total: str
) -> None:
    assert total in read(alice, **query)


def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(
    alice: Client, site: HitsSite
) -> None:
    html = show(
        alice, outside="198.51.100.300", ports="443", since="last week", direction="up",
        action="allowed", device="nobody",
    )  # fmt: skip
    shown = plain(html)
    for said in (
        "'198.51.100.300' is no address", "'last week' is no moment", "Use in or out.",
        "There is no device 'nobody'.",
    ):  # fmt: skip
        assert said in shown
    for name, value in (
        ("outside", "198.51.100.300"), ("ports", "443"), ("since", "last week"),
        ("device", "nobody"),
    ):  # fmt: skip
        assert re.search(rf'name="{name}" type="text" value="{value}"', html), name
    assert re.search(r'name="outside"[^>]*aria-invalid="true"', html)
    assert re.search(r'value="allowed" checked', html)
    assert not re.search(r'value="dropped" checked', html)
    assert 'class="timeline"' not in html


def test_a_site_without_lines_is_told_what_to_do(alice: Client) -> None:
    assert "No line in this time tells of one" in read(alice)
    assert "No line in this time tells of one" in read(alice, CONNECTIONS)


def test_connections_are_listed_with_list_entry_and_line(alice: Client, site: HitsSite) -> None:
    html = show(alice, CONNECTIONS)
    shown = plain(html)
    assert "11 connections" in shown
    assert "fmc-berlin inbound 198.51.100.7 50000 10.1.2.3 443 tcp dropped botnets" in shown
    assert "outbound 10.1.2.4 50000 203.0.113.9 53 udp dropped malware 203.0.113.9/32" in shown
    assert "=own rule" in shown
    assert html.count('href="/admin/reports/lines/') == 11


def test_connections_come_in_pages(
    alice: Client, site: HitsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hits, "PAGE", 4)
    monkeypatch.setattr(hits, "PAGES_MOST", 2)
    first, second = (show(alice, CONNECTIONS, page=page, by="list") for page in ("1", "2"))
    assert "1 to 4 of 11 Older" in plain(first)
    assert "Newer 5 to 8 of 11" in plain(second)
    assert "no more than these" in plain(second)
    refs = [set(re.findall(r"/admin/reports/lines/([0-9-]+)/", html)) for html in (first, second)]
    assert [len(one) for one in refs] == [4, 4]
    assert not refs[0] & refs[1]
    for odd in ("0", "x", "99", "9" * 40):
        assert "of 11" in read(alice, CONNECTIONS, page=odd)


def test_somebody_sees_his_own_devices_only(client: Client, site: HitsSite) -> None:
    user = User.objects.create_user("oskar", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_hits"))
    group = DeviceGroup.objects.create(name="north")
    group.people.add(user)
    site.oslo.group = group
    site.oslo.save(update_fields=["group"])
    client.force_login(user)
    shown = read(client, by="device")
    assert "2 inbound 0 outbound" in shown
    assert "fmc-berlin" not in show(client)
    assert "There is no device 'fmc-berlin'" in read(client, device="fmc-berlin")
    assert "2 connections" in read(client, CONNECTIONS)


def test_reports_are_a_right_of_their_own(charlie: Client, site: HitsSite) -> None:
    user = User.objects.get(username="charlie")
    user.user_permissions.add(Permission.objects.get(codename="view_savedreport"))
    for page in (REPORT, CONNECTIONS, f"{REPORT}lines/1-2-3/"):
        assert charlie.get(page).status_code == 403
    assert REPORT not in charlie.get("/admin/").content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_hits"))
    assert REPORT in charlie.get("/admin/").content.decode()
    assert charlie.get(REPORT).status_code == 200


def test_what_is_shown_can_be_taken_along(alice: Client, site: HitsSite) -> None:
    html = show(alice, direction="in")
    (csv,) = [one for one in links(html, "CSV") if "by=list" in one]
    answer = alice.get(csv)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    lines = b"".join(answer).decode().splitlines()
    assert lines[1].startswith("botnets,6,1,1,")
    page = show(alice, CONNECTIONS, direction="in")
    (csv,) = re.findall(r'href="([^"]*as=csv)"', page)
    lines = b"".join(alice.get(unescape(csv))).decode().splitlines()
    assert len(lines) == 1 + 8


def test_a_report_can_be_saved_from_its_page(alice: Client, site: HitsSite) -> None:
    html = show(alice, last="7d", list="botnets", page="3")
    (save,) = re.findall(r'href="(/admin/logs/savedreport/add/[^"]*)"', html)
    form = alice.get(unescape(save)).content.decode()
    assert 'value="last=7d&amp;list=botnets"' in form


def test_saved_reports_stand_above_those_who_may_open_them(
    alice: Client, victor: Client, site: HitsSite
) -> None:
    owner = User.objects.get(username="alice")
    SavedReport.objects.create(name="mine", owner=owner, query="last=7d")
    SavedReport.objects.create(name="ours", owner=owner, query="last=30d", is_shared=True)
    assert links(show(alice), "mine") == [f"{REPORT}?last=7d"]
    shown = show(victor)
    assert links(shown, "ours") == [f"{REPORT}?last=30d"]
    assert links(shown, "mine") == []


def test_the_forms_of_both_pages_stay_on_their_page(alice: Client, site: HitsSite) -> None:
    assert 'name="by"' in show(alice)
    assert 'name="by"' not in show(alice, CONNECTIONS)
    assert reverse("console:report") == REPORT


def test_tables_of_countries_are_offered_where_the_site_has_a_file_of_them(
    alice: Client, site: HitsSite, settings: Settings
) -> None:
    settings.TSCM_GEO_COUNTRY = settings.TSCM_GEO_NETWORK = None
    assert 'value="country"' not in show(alice)
    settings.TSCM_GEO_COUNTRY = Path("countries.mmdb")
    assert 'value="country"' in show(alice)
    assert 'value="network"' not in show(alice)
