"""The records of lists kept here, over the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from policies.api.records.serializers import LINES_SHOWN, MAX_BATCH
from policies.models import Change, ListRecord, Source
from policies.services.record_text import MAX_BYTES
from tests.api.conftest import error_of, signed_in

SOURCES = "/api/v1/sources/"


@pytest.fixture
def made(api: APIClient) -> Any:
    body = {"name": "ours", "kind": "user", "settings": {"type": "block"}}
    answer = api.post(SOURCES, body)
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.fixture
def records(made: Any) -> str:
    """The address of an empty list's records."""
    return f"{SOURCES}{made['id']}/records/"


def entries() -> list[tuple[str, str]]:
    return list(ListRecord.objects.order_by("id").values_list("text", "note"))


def test_a_list_is_a_source_that_may_be_emptied(made: Any) -> None:
    assert (made["kind"], made["settings"]) == ("user", {"type": "block"})
    assert (made["may_be_empty"], made["shrink_limit"]) == (True, 100)


@pytest.mark.parametrize("wrong", [{}, {"type": "monitor"}, {"type": "block", "entries": []}])
def test_a_list_is_to_block_or_to_allow_and_has_no_other_setting(
    api: APIClient, wrong: dict[str, object]
) -> None:
    answer = api.post(SOURCES, {"name": "x", "kind": "user", "settings": wrong})
    assert answer.status_code == 400
    assert error_of(answer)["attr"] == "settings"


def test_a_record_is_added_shown_changed_and_removed(api: APIClient, records: str) -> None:
    until = (timezone.now() + timedelta(days=30)).replace(microsecond=0)
    sent = {"entry": "203.0.113.0-203.0.113.255", "note": "scanner", "expires_at": until}
    answer = api.post(records, sent)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["entry"], made["family"], made["note"]) == ("203.0.113.0/24", 4, "scanner")
    assert (made["added_by"], datetime.fromisoformat(made["expires_at"])) == ("api:alice", until)
    one = f"{records}{made['id']}/"
    assert api.get(one).json() == made
    changed = api.patch(one, {"note": "INC-7", "expires_at": None}).json()
    assert changed == {**made, "note": "INC-7", "expires_at": None}
    assert api.delete(one).status_code == 204
    assert api.get(one).status_code == 404
    verbs = list(Change.objects.filter(subject="source ours").values_list("verb", flat=True))
    assert verbs == ["remove", "change", "add", "create"]


@pytest.mark.parametrize(
    ("sent", "field", "reason"),
    [
        ({"entry": "203.0.113.7/24"}, "entry", "write 203.0.113.0/24"),
        ({"entry": "example.net"}, "entry", "host name"),
        ({"entry": "198.51.100.1"}, "entry", "198.51.100.1 is in the list already"),
        ({"entry": "203.0.113.7", "expires_at": "2020-01-01T00:00:00Z"}, "entry", "expired"),
        ({"entry": "203.0.113.7", "expires_at": "soon"}, "expires_at", "format"),
        ({"entry": "203.0.113.7", "note": "x" * 201}, "note", "200 characters"),
        ({"entry": 7}, "entry", "valid string"),
        ({}, "entry", "required"),
    ],
)
def test_a_record_that_cannot_be_is_refused_by_field(
    api: APIClient, records: str, sent: dict[str, object], field: str, reason: str
) -> None:
    api.post(records, {"entry": "198.51.100.1"})
    answer = api.post(records, sent)
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["attr"] == field
    assert reason in error["detail"]
    assert entries() == [("198.51.100.1", "")]


def test_a_record_ends_in_the_future(api: APIClient, records: str) -> None:
    made = api.post(records, {"entry": "203.0.113.7"}).json()
    answer = api.patch(f"{records}{made['id']}/", {"expires_at": "2020-01-01T00:00:00Z"})
    assert (answer.status_code, error_of(answer)["attr"]) == (400, "expires_at")


def test_many_are_added_at_once_or_none(api: APIClient, records: str) -> None:
    batch = {"records": [{"entry": "203.0.113.7"}, {"entry": "x"}, {"entry": "2001:db8::/64"}]}
    answer = api.post(f"{records}batch/", batch)
    assert answer.status_code == 400
    assert error_of(answer)["attr"] == "records"
    assert "line 2: 'x' is not an address" in error_of(answer)["detail"]
    assert entries() == []
    answer = api.post(f"{records}batch/", {**batch, "skip_bad": True})
    assert answer.json() == {
        "added": 2,
        "changed": 0,
        "removed": 0,
        "left_out": 1,
        "left_out_lines": [
            {
                "line": 2,
                "text": "x",
                "reason": "'x' is not an address, prefix or range: not an address",
            }
        ],
    }
    only = {"records": [{"entry": "203.0.113.7", "note": "why"}], "replace": True}
    assert api.post(f"{records}batch/", only).json()["removed"] == 1
    assert entries() == [("203.0.113.7", "why")]


def test_a_batch_is_bounded(api: APIClient, records: str) -> None:
    batch = {"records": [{"entry": "203.0.113.7"}] * (MAX_BATCH + 1)}
    assert api.post(f"{records}batch/", batch).status_code == 400


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain", "# ours\n203.0.113.7 # scanner\n"),
        ("text/csv", "entry,note\n203.0.113.7,scanner\n"),
        ("text/csv; charset=utf-8", "203.0.113.7,scanner,2999-01-01"),
    ],
)
def test_text_and_csv_are_imported(api: APIClient, records: str, kind: str, body: str) -> None:
    answer = api.generic("POST", f"{records}import/", body, content_type=kind)
    assert answer.status_code == 200, answer.content
    assert answer.json()["added"] == 1
    assert entries() == [("203.0.113.7", "scanner")]


def test_an_import_names_every_line_it_cannot_take(api: APIClient, records: str) -> None:
    answer = api.generic("POST", f"{records}import/", "x\n" * 150, content_type="text/plain")
    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert len(errors) == LINES_SHOWN
    assert errors[1]["detail"].startswith("line 2: ")
    query = f"{records}import/?skip_bad=true"
    answer = api.generic("POST", query, "x\n" * 150, content_type="text/plain")
    assert (answer.json()["left_out"], len(answer.json()["left_out_lines"])) == (150, 100)


def test_an_import_may_replace_the_list(api: APIClient, records: str) -> None:
    api.post(records, {"entry": "203.0.113.7"})
    query = f"{records}import/?replace=true"
    answer = api.generic("POST", query, "203.0.113.8", content_type="text/plain")
    assert (answer.json()["added"], answer.json()["removed"]) == (1, 1)
    assert entries() == [("203.0.113.8", "")]


@pytest.mark.parametrize(
    ("query", "kind", "body", "status"),
    [
        ("?skip_bad=yes", "text/plain", b"203.0.113.7", 400),
        ("?colour=red", "text/plain", b"203.0.113.7", 400),
        ("", "application/json", b"{}", 415),
        ("", "text/csv", b"\xe9", 400),
        ("", "text/csv", b"1" * (MAX_BYTES + 1), 413),
        ("", "text/csv", b"", 200),
    ],
)
def test_an_import_is_bounded_and_understood_or_refused(
    api: APIClient, records: str, query: str, kind: str, body: Any, status: int
) -> None:
    answer = api.generic("POST", f"{records}import/{query}", body, content_type=kind)
    assert answer.status_code == status, answer.content
    assert status == 200 or error_of(answer)["detail"]
    assert entries() == []


def test_what_is_exported_is_imported_as_the_same(api: APIClient, records: str) -> None:
    text = '203.0.113.7 # =1+1\n2001:db8::/64 # a, "b"\n203.0.113.9-203.0.113.11\n'
    api.generic("POST", f"{records}import/", text, content_type="text/plain")
    answer = api.get(f"{records}export/")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="ours.csv"'
    exported = answer.getvalue().decode()
    before = entries()
    ListRecord.objects.all().delete()
    api.generic("POST", f"{records}import/", exported, content_type="text/csv")
    assert entries() == before


def test_records_are_searched_filtered_and_paged(api: APIClient, records: str) -> None:
    text = "203.0.113.0/25 # scanner\n203.0.113.128-203.0.113.130\n2001:db8::/64 # lab"
    api.generic("POST", f"{records}import/", text, content_type="text/plain")

    def found(query: str) -> list[str]:
        answer = api.get(f"{records}?{query}")
        assert answer.status_code == 200, answer.content
        return [row["entry"] for row in answer.json()["results"]]

    assert found("") == ["203.0.113.0/25", "203.0.113.128-203.0.113.130", "2001:db8::/64"]
    assert found("page_size=1&page=2") == ["203.0.113.128-203.0.113.130"]
    assert found("search=lab") == ["2001:db8::/64"]
    assert found("touching=203.0.113.129") == ["203.0.113.128-203.0.113.130"]
    assert found("touching=2001:db8::1") == ["2001:db8::/64"]
    assert found("never_expires=false") == []
    assert found("added_by=api:alice&ordering=-id")[0] == "2001:db8::/64"
    answer = api.get(f"{records}?touching=example.net")
    assert (answer.status_code, error_of(answer)["attr"]) == (400, "touching")


def test_a_list_of_forty_thousand_is_paged_with_few_queries(
    api: APIClient, records: str, django_assert_max_num_queries: Any
) -> None:
    text = "\n".join(f"10.{n >> 8 & 255}.{n & 255}.{n >> 16}" for n in range(40_000))
    answer = api.generic("POST", f"{records}import/", text, content_type="text/plain")
    assert answer.json()["added"] == 40_000
    with django_assert_max_num_queries(9):
        page = api.get(f"{records}?page_size=500&page=80").json()
    assert (page["count"], len(page["results"])) == (40_000, 500)


def test_another_kind_of_source_has_no_records(api: APIClient) -> None:
    body = {"name": "fixed", "kind": "memory", "settings": {"entries": ["203.0.113.7"]}}
    records = f"{SOURCES}{api.post(SOURCES, body).json()['id']}/records/"
    for address in (records, f"{records}1/", f"{records}export/"):
        assert api.get(address).status_code == 404
    assert api.post(records, {"entry": "203.0.113.7"}).status_code == 404


def test_records_of_one_list_are_not_reached_through_another(api: APIClient, records: str) -> None:
    pk = api.post(records, {"entry": "203.0.113.7"}).json()["id"]
    body = {"name": "theirs", "kind": "user", "settings": {"type": "allow"}}
    other = api.post(SOURCES, body).json()["id"]
    address = f"{SOURCES}{other}/records/{pk}/"
    assert [api.get(address).status_code, api.delete(address).status_code] == [404, 404]


def test_whoever_may_only_look_changes_nothing(bob: User, api: APIClient, records: str) -> None:
    pk = api.post(records, {"entry": "203.0.113.7"}).json()["id"]
    looking = signed_in(bob)
    assert looking.get(records).status_code == 200
    assert looking.get(f"{records}export/").status_code == 200
    body = {"entry": "203.0.113.8"}
    assert looking.post(records, body).status_code == 403
    assert looking.post(f"{records}batch/", {"records": [body]}).status_code == 403
    text = looking.generic("POST", f"{records}import/", "203.0.113.8", content_type="text/plain")
    assert text.status_code == 403
    assert looking.patch(f"{records}{pk}/", {"note": "x"}).status_code == 403
    assert looking.delete(f"{records}{pk}/").status_code == 403
    assert entries() == [("203.0.113.7", "")]


def test_replacing_a_list_needs_the_right_to_remove(
    api: APIClient, alice: User, records: str
) -> None:
    alice.user_permissions.remove(*alice.user_permissions.filter(codename="delete_listrecord"))
    query = f"{records}import/?replace=true"
    answer = api.generic("POST", query, "203.0.113.8", content_type="text/plain")
    assert answer.status_code == 403
    assert api.post(f"{records}batch/", {"records": [], "replace": True}).status_code == 403
    assert api.post(f"{records}batch/", {"records": []}).status_code == 200
    assert Source.objects.count() == 1
