"""Reports by API: the same questions, bounded, as JSON and as files."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from devices.models import DeviceGroup
from logs.models import SavedReport
from logs.reports import files
from tests.api.conftest import error_of, signed_in
from tests.fakes.events import Made, write_events
from tests.logs.hits_site import RAW, HitsSite, make_hits
from tests.logs.rows import make_batch, make_spool

pytestmark = pytest.mark.django_db
HITS = "/api/v1/hits/"
AS_CSV, AS_LINES = {"as": "csv"}, {"as": "jsonl"}


@pytest.fixture
def site(db: None) -> HitsSite:
    return make_hits(now=timezone.now())


def get(api: APIClient, page: str, **query: str | float) -> dict[str, Any]:
    answer = api.get(f"{HITS}{page}/", query)
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def file(api: APIClient, page: str, query: dict[str, str], accept: str = "") -> str:
    headers = {"Accept": accept} if accept else None
    answer = api.get(f"{HITS}{page}/", query, headers=headers)
    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    return b"".join(answer).decode()


def test_a_timeline_counts_what_there_is_in_all(api: APIClient, site: HitsSite) -> None:
    told = get(api, "timeline", last="24h")
    assert told["totals"] == {
        "inbound": 8, "outbound": 3, "inside_hosts": 3, "outside_addresses": 3,
        "is_estimate": False,
    }  # fmt: skip
    assert told["step_seconds"] == 900
    assert len(told["buckets"]) == 96
    assert sum(one["inbound"] for one in told["buckets"]) == 8


def test_a_summary_is_by_list_where_nothing_is_said(api: APIClient, site: HitsSite) -> None:
    told = get(api, "summary")
    rows = [(row["key"], row["connections"]) for row in told["rows"]]
    assert (told["by"], rows) == ("list", [("botnets", 6), ("malware", 3), ("", 2)])
    cut = get(api, "summary", by="device", rows=1)
    assert (cut["rows"][0]["key"], cut["total_rows"]) == ("fmc-berlin", 2)


def test_connections_come_in_pages_that_lead_on(api: APIClient, site: HitsSite) -> None:
    first = get(api, "connections", page_size=6, direction="in")
    assert (first["count"], len(first["results"]), first["previous"]) == (8, 6, None)
    second = api.get(first["next"]).json()
    assert (len(second["results"]), second["next"]) == (2, None)
    assert {one["action"] for one in first["results"]} == {"dropped"}
    newest = get(api, "connections", list="malware")["results"][0]
    assert (newest["protocol"], newest["entry"]) == ("udp", "203.0.113.9/32")
    assert newest["device_nickname"] == "fmc-berlin"
    assert api.get(f"{HITS}connections/", {"page": 9}).status_code == 404


@pytest.mark.parametrize("by_header", [True, False])
def test_a_summary_is_a_file_where_that_is_asked_for(
    api: APIClient, site: HitsSite, by_header: bool
) -> None:
    text = file(api, "summary", {}, "text/csv") if by_header else file(api, "summary", AS_CSV)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["key"], row["connections"]) for row in rows] == [
        ("botnets", "6"), ("malware", "3"), ("", "2"),
    ]  # fmt: skip
    cut = file(api, "summary", AS_CSV | {"rows": "1"}).splitlines()
    assert cut[-1] == "Cut here: 1 of 3 rows. Narrow the question."


def test_connections_are_a_file_made_while_it_is_sent(
    api: APIClient, site: HitsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PIECE", 4)
    rows = list(csv.DictReader(io.StringIO(file(api, "connections", AS_CSV))))
    assert len(rows) == len({row["line"] for row in rows}) == 11
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    # A spreadsheet would take it for a formula.
    assert {row["said"] for row in rows if row["device"] == "fmc-oslo"} == {"'=own rule"}
    told = [json.loads(one) for one in file(api, "connections", AS_LINES).splitlines()]
    assert {one["said"] for one in told if one["device"] == "fmc-oslo"} == {"=own rule"}
    assert len(told) == 11


def test_a_file_says_where_it_was_cut(
    api: APIClient, site: HitsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILE_MOST", 5)
    monkeypatch.setattr(files, "_PIECE", 3)
    lines = file(api, "connections", AS_LINES).splitlines()
    assert len(lines) == 6
    assert json.loads(lines[-1]) == {"cut": "Cut here: 5 of 11 rows. Narrow the question."}


def test_a_line_is_shown_as_long_as_it_is_kept(api: APIClient, site: HitsSite) -> None:
    now = timezone.now()
    batch = make_batch(make_spool(site.berlin, now=now), 1, 1, at=now, removed_at=now)
    write_events(site.berlin, [Made(now, batch=batch, offset=7, size=len(RAW))])
    told = get(api, f"lines/{batch.pk}-7-{len(RAW)}")
    assert told["text"] is None
    assert "were let go on" in told["why_not"]
    assert told["connection"]["source"] == "198.51.100.7"
    for odd in ("1-2-3", "x", f"{batch.pk}-7-1", "9" * 40):
        assert api.get(f"{HITS}lines/{odd}/").status_code == 404


@pytest.mark.parametrize(
    ("page", "query", "attr"),
    [
        ("timeline", {"outside": "nonsense"}, "outside"),
        ("timeline", {"page": "1"}, "page"),
        ("summary", {"by": "colour"}, "by"),
        ("summary", {"rows": "10001"}, "rows"),
        ("summary", {"as": "xml"}, "as"),
        ("connections", {"page_size": "0"}, "page_size"),
        ("connections", {"outside": ""}, "outside"),
        ("timeline", {"last": ["24h", "7d"]}, "last"),
        ("summary", {"by": "list,port"}, "by"),
        ("connections", {"until": "2026-13-01"}, "until"),
    ],
)
def test_what_is_not_understood_is_refused_by_its_name(
    api: APIClient, page: str, query: dict[str, Any], attr: str
) -> None:
    answer = api.get(f"{HITS}{page}/", query)
    assert answer.status_code == 400
    assert error_of(answer)["attr"] == attr


def test_reports_are_a_right_of_their_own(charlie: User, bob: User, site: HitsSite) -> None:
    for page in ("timeline", "summary", "connections", "lines/1-2-3"):
        assert signed_in(charlie).get(f"{HITS}{page}/").status_code == 403
        assert APIClient().get(f"{HITS}{page}/").status_code == 401
    assert get(signed_in(bob), "summary")["total_connections"] == 11


def test_somebody_gets_his_own_devices_only(bob: User, site: HitsSite) -> None:
    group = DeviceGroup.objects.create(name="north")
    group.people.add(bob)
    site.oslo.group = group
    site.oslo.save(update_fields=["group"])
    api = signed_in(bob)
    assert get(api, "summary", by="device")["total_connections"] == 2
    assert len(file(api, "connections", AS_LINES).splitlines()) == 2
    assert error_of(api.get(f"{HITS}summary/", {"device": "fmc-berlin"}))["attr"] == "device"


def test_a_report_is_saved_changed_sent_and_removed(api: APIClient, bob: User) -> None:
    reports = "/api/v1/saved-reports/"
    body = {
        "name": "daily", "query": "last=24h", "every": "daily", "at": "06:30",
        "zone": "Europe/Berlin", "recipients": ["anna@example.net"],
    }  # fmt: skip
    made = api.post(reports, body)
    assert made.status_code == 201, made.content
    row = made.json()
    assert (row["owner"], row["at"], row["mailed_at"]) == ("alice", "06:30", None)
    assert row["next_at"] is not None
    page = f"{reports}{row['id']}/"
    assert signed_in(bob).get(page).status_code == 404
    assert api.patch(page, {"is_shared": True, "every": "weekly"}).json()["every"] == "weekly"
    assert signed_in(bob).get(page).status_code == 200
    assert signed_in(bob).patch(page, {"name": "x"}).status_code == 403
    refused = api.patch(page, {"zone": "Berlin"})
    assert (refused.status_code, error_of(refused)["attr"]) == (400, "zone")
    assert api.post(f"{page}send/").status_code == 202
    assert SavedReport.objects.due(now=timezone.now()).count() == 1
    assert api.delete(page).status_code == 204


def test_of_a_shared_report_its_owner_alone_is_told_who_gets_it_and_what_failed(
    bob: User,
) -> None:
    row = SavedReport.objects.create(
        name="bobs", owner=bob, is_shared=True, recipients=["noc@example.net"], error="550 no"
    )
    page = f"/api/v1/saved-reports/{row.pk}/"
    carol = User.objects.create_user("carol", is_staff=True)
    carol.user_permissions.set(bob.user_permissions.all())
    told = {
        name: signed_in(user).get(page).json() for name, user in (("bob", bob), ("carol", carol))
    }
    assert (told["bob"]["recipients"], told["bob"]["error"]) == (["noc@example.net"], "550 no")
    assert (told["carol"]["recipients"], told["carol"]["error"]) == ([], "")
    root = signed_in(User.objects.create_superuser("root"))
    assert root.get(page).json()["recipients"] == ["noc@example.net"]


def test_a_shared_report_about_a_device_that_one_does_not_see_is_none(
    site: HitsSite, bob: User
) -> None:
    group = DeviceGroup.objects.create(name="north")
    group.people.add(bob)
    site.oslo.group = group
    site.oslo.save(update_fields=["group"])
    carol = User.objects.create_user("carol", is_staff=True)
    for name, query in (
        ("ours", "device=fmc-oslo"), ("theirs", "device=fmc-oslo&device=fmc-berlin"),
        ("hidden", "last=7d&device=fmc-oslo,%20fmc-berlin"), ("all", "last=7d"),
    ):  # fmt: skip
        SavedReport.objects.create(name=name, query=query, owner=carol, is_shared=True)
    SavedReport.objects.create(name="own", query="device=fmc-berlin", owner=bob)
    shown = signed_in(bob).get("/api/v1/saved-reports/").json()["results"]
    assert [row["name"] for row in shown] == ["all", "ours", "own"]


def test_a_report_of_another_is_not_changed(api: APIClient, bob: User) -> None:
    row = SavedReport.objects.create(name="bobs", owner=bob, is_shared=True)
    page = f"/api/v1/saved-reports/{row.pk}/"
    for answer in (api.patch(page, {"name": "x"}), api.delete(page), api.post(f"{page}send/")):
        assert answer.status_code == 403
        assert "only they change it" in error_of(answer)["detail"]
