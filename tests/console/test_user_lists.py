"""Lists kept here: made, filled, searched and emptied in the console."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from policies.models import Change, ListRecord, Policy, Source
from policies.services import add_records, create_user_list
from policies.services.record_text import MAX_BYTES, read_lines
from policies.sources.user_list import MAX_RECORDS
from tests.console.pages import address
from tests.console.test_policy_pages import GUARD, SOURCE, errors

pytestmark = pytest.mark.django_db


@pytest.fixture
def ours(now: datetime) -> Source:
    """A list to block, of two records."""
    source = create_user_list(name="ours", type="block", actor="test", now=now)
    drafts = read_lines("203.0.113.0/24 # scanner\n198.51.100.7")
    add_records(source=source, drafts=drafts, actor="console:carol", now=now)
    return source


def page(name: str, *args: object) -> str:
    return reverse(f"admin:policies_listrecord_{name}", args=args)


def texts() -> set[str]:
    return set(ListRecord.objects.values_list("text", flat=True))


def shown(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_list_is_made_in_two_fields(alice: Client) -> None:
    answer = alice.post(page("newlist"), {"name": "partners", "type": "allow"}, follow=True)
    assert "List partners" in shown(answer)
    source = Source.objects.get()
    assert (source.kind, source.settings) == ("user", {"type": "allow"})
    assert "taken" not in shown(alice.get(page("newlist")))
    again = alice.post(page("newlist"), {"name": "partners", "type": "allow"})
    assert "already exists" in shown(again)


def test_a_list_made_with_the_form_of_sources_may_be_emptied_too(alice: Client) -> None:
    data = {**SOURCE, "kind": "user", "name": "x", "settings": '{"type": "block"}'}
    assert alice.post(address(Source, "add"), data).status_code == 302
    source = Source.objects.get()
    assert (source.may_be_empty, source.shrink_limit) == (True, 100)


def test_the_page_of_a_source_shows_the_newest_records(alice: Client, ours: Source) -> None:
    body = shown(alice.get(address(Source, "change", ours.pk)))
    for words in ("Records to block, the newest of 2", "203.0.113.0/24", "scanner",
                  "console:carol", "Paste or upload", "All records"):  # fmt: skip
        assert words in body, words


def test_one_record_is_added_changed_and_removed(alice: Client, ours: Source) -> None:
    until = timezone.now() + timedelta(days=2)
    data = {
        "source": ours.pk, "text": "203.0.113.5-203.0.113.5", "note": "INC-7",
        "expires_at_0": f"{until:%Y-%m-%d}", "expires_at_1": "12:00:00",
    }  # fmt: skip
    answer = alice.post(page("add"), data)
    assert (answer.status_code, answer["Location"]) == (302, f"{page('changelist')}?list={ours.pk}")
    record = ListRecord.objects.get(text="203.0.113.5")
    assert (record.note, record.added_by) == ("INC-7", "console:alice")
    assert record.expires_at is not None
    assert "203.0.113.5" in shown(alice.get(page("change", record.pk)))
    assert alice.post(page("change", record.pk), {"note": "INC-8"}).status_code == 302
    record.refresh_from_db()
    changed: object = (record.text, record.note, record.expires_at)
    assert changed == ("203.0.113.5", "INC-8", None)
    alice.post(page("delete", record.pk), {"post": "yes"})
    assert "203.0.113.5" not in texts()
    verbs = list(Change.objects.filter(actor="console:alice").values_list("verb", flat=True))
    assert verbs == ["remove", "change", "add"]


def test_another_record_is_added_to_the_same_list(alice: Client, ours: Source) -> None:
    data = {"source": ours.pk, "text": "192.0.2.1", "_addanother": "1"}
    answer = alice.post(page("add"), data)
    assert (answer.status_code, answer["Location"]) == (302, f"{page('add')}?source={ours.pk}")
    assert f'value="{ours.pk}" selected' in shown(alice.get(answer["Location"]))


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        ({"text": "203.0.113.7/24"}, "text", "write 203.0.113.0/24"),
        ({"text": "198.51.100.7"}, "text", "is in the list already"),
        ({"text": "192.0.0.0/7"}, "text", "wider than /8"),
        ({"note": "x" * 201}, "note", "200"),
        ({"source": "999"}, "source", "valid choice"),
    ],
)
def test_a_record_that_cannot_be_is_refused_beside_its_field(
    alice: Client, ours: Source, wrong: dict[str, object], field: str, reason: str
) -> None:
    answer = alice.post(page("add"), {"source": ours.pk, "text": "192.0.2.1", **wrong})
    assert reason in errors(answer)[field][0]
    assert len(texts()) == 2


def test_many_are_pasted_with_a_note_and_an_end_of_their_own(alice: Client, ours: Source) -> None:
    data = {"lines": "192.0.2.1\n192.0.2.2 # lab\n", "note": "INC-9", "expires": "2999-12-31"}
    answer = alice.post(page("paste", ours.pk), data, follow=True)
    assert "2 added." in shown(answer)
    rows = ListRecord.objects.filter(note__in=("INC-9", "lab")).order_by("id")
    assert [(row.text, row.note) for row in rows] == [("192.0.2.1", "INC-9"), ("192.0.2.2", "lab")]
    assert all(row.expires_at and row.expires_at.year == 3000 for row in rows)


def test_a_paste_shows_every_line_it_cannot_take_and_keeps_what_was_typed(
    alice: Client, ours: Source
) -> None:
    data = {"lines": "192.0.2.1\n<script>\n203.0.113.7/24\n"}
    body = shown(alice.post(page("paste", ours.pk), data))
    assert "Nothing was added: 2 cannot be taken." in body
    assert "write 203.0.113.0/24 for the network" in body
    assert "&lt;script&gt;" in body
    assert "<script>\n203" not in body
    assert len(texts()) == 2
    left_out = alice.post(page("paste", ours.pk), {**data, "skip_bad": "on"}, follow=True)
    assert "1 added, 2 left out (line 2: " in shown(left_out)
    assert "192.0.2.1" in texts()


@pytest.mark.parametrize(
    ("name", "content"),
    [("list.CSV", "entry,note\n192.0.2.1,lab\n"), ("list.txt", "192.0.2.1 # lab\n")],
)
def test_a_file_is_uploaded_and_may_replace_the_list(
    alice: Client, ours: Source, name: str, content: str
) -> None:
    file = SimpleUploadedFile(name, content.encode())
    answer = alice.post(page("paste", ours.pk), {"file": file, "replace": "on"}, follow=True)
    assert "1 added, 2 removed." in shown(answer)
    assert list(ListRecord.objects.values_list("text", "note")) == [("192.0.2.1", "lab")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "one of the two"),
        ({"lines": "192.0.2.1", "file": b"192.0.2.1"}, "one of the two"),
        ({"file": b"1" * (MAX_BYTES + 1)}, "A file holds up to 16,777,216 bytes"),
        ({"file": b"\xff\xfe1"}, "not UTF-8"),
        ({"lines": "192.0.2.1", "expires": "soon"}, "is no date"),
        ({"lines": "192.0.2.1", "note": "a\x07"}, "cannot be shown"),
        ({"lines": "192.0.2.1", "expires": "2020-01-01"}, "would have expired"),
    ],
)
def test_what_cannot_be_read_is_refused(
    alice: Client, ours: Source, data: dict[str, Any], reason: str
) -> None:
    if "file" in data:
        data = {**data, "file": SimpleUploadedFile("list.csv", data["file"])}
    assert reason in shown(alice.post(page("paste", ours.pk), data))
    assert len(texts()) == 2


def test_a_list_is_downloaded_as_csv(alice: Client, ours: Source) -> None:
    answer = alice.get(page("download", ours.pk))
    assert answer["Content-Disposition"] == 'attachment; filename="ours.csv"'
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines == ["entry,note,expires", "203.0.113.0/24,scanner,", "198.51.100.7,,"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"203.0.113.0/24", "198.51.100.7", "203.0.113.9"}),
        ("list={ours}", {"203.0.113.0/24", "198.51.100.7"}),
        ("q=203.0.113.9", {"203.0.113.0/24", "203.0.113.9"}),
        ("q=203.0.113.9&list={ours}", {"203.0.113.0/24"}),
        ("q=scann", {"203.0.113.0/24"}),
        ("q=203.0", {"203.0.113.0/24", "203.0.113.9"}),
        ("expiry=dated", set()),
        ("list=9999", set()),
        ("list=x", set()),
    ],
)
def test_records_are_found_by_list_address_note_and_expiry(
    alice: Client, ours: Source, now: datetime, query: str, found: set[str]
) -> None:
    other = create_user_list(name="theirs", type="allow", actor="test", now=now)
    add_records(source=other, drafts=read_lines("203.0.113.9"), actor="test", now=now)
    answer = alice.get(f"{page('changelist')}?{query.format(ours=ours.pk)}")
    assert {record.text for record in answer.context["cl"].result_list} == found


def choose(source: Source, *, across: bool) -> dict[str, object]:
    first = source.records.order_by("first").values_list("pk", flat=True)[:1]
    return {"action": "remove_selected", "_selected_action": list(first),
            "select_across": "1" if across else "0"}  # fmt: skip


@pytest.mark.parametrize(("across", "left"), [(False, 1), (True, 0)])
def test_chosen_records_are_removed_after_a_question(
    alice: Client, ours: Source, across: bool, left: int
) -> None:
    url, data = f"{page('changelist')}?list={ours.pk}", choose(ours, across=across)
    asked = shown(alice.post(url, data))
    assert ("Remove 2 records?" if across else "Remove 1 record?") in asked
    assert len(texts()) == 2
    alice.post(url, {**data, "confirmed": "yes"})
    assert ours.records.count() == left
    assert Change.objects.get(verb="remove").actor == "console:alice"


def test_whoever_may_only_look_can_neither_add_nor_remove(victor: Client, ours: Source) -> None:
    body = shown(victor.get(f"{page('changelist')}?list={ours.pk}"))
    assert "203.0.113.0/24" in body
    assert "Paste or upload" not in body
    assert victor.get(page("download", ours.pk)).status_code == 200
    for url in (page("add"), page("paste", ours.pk), page("newlist")):
        assert victor.get(url).status_code == 403
        assert victor.post(url, {}).status_code == 403
    victor.post(page("changelist"), {**choose(ours, across=True), "confirmed": "yes"})
    assert len(texts()) == 2


def test_somebody_without_rights_sees_no_list(charlie: Client, ours: Source) -> None:
    urls = (page("changelist"), page("paste", ours.pk), page("download", ours.pk), page("newlist"))
    assert [charlie.get(url).status_code for url in urls] == [403] * 4


def test_an_allow_list_is_refused_where_a_policy_blocks(alice: Client, now: datetime) -> None:
    source = create_user_list(name="partners", type="allow", actor="test", now=now)
    data = {**GUARD, "name": "edge", "block_sources": source.pk}
    refused = errors(alice.post(address(Policy, "add"), data))
    assert "partners is a list to allow" in str(refused)
    data = {**GUARD, "name": "edge", "allow_sources": source.pk}
    assert alice.post(address(Policy, "add"), data).status_code == 302


def test_a_list_of_forty_thousand_shows_a_page_with_few_queries(
    alice: Client, ours: Source, now: datetime
) -> None:
    assert MAX_RECORDS >= 40_000
    lines = "\n".join(f"10.{n >> 8 & 255}.{n & 255}.{n >> 16}" for n in range(39_998))
    add_records(source=ours, drafts=read_lines(lines), actor="test", now=now)
    pinned = {
        f"{page('changelist')}?list={ours.pk}": 7,
        f"{page('changelist')}?list={ours.pk}&p=700": 7,
        f"{page('changelist')}?q=10.1.2.0": 7,
        page("changelist"): 7,
        address(Source, "change", ours.pk): 14,
        f"{page('add')}?source={ours.pk}": 4,
        page("paste", ours.pk): 4,
    }
    counts, sizes = {}, {}
    for url in pinned:
        alice.get(url)
        with CaptureQueriesContext(connection) as queries:
            sizes[url] = len(shown(alice.get(url)))
        counts[url] = len(queries)
    assert counts == pinned
    assert max(sizes.values()) < 400_000


def test_forty_thousand_are_chosen_and_removed_at_once(
    alice: Client, ours: Source, now: datetime
) -> None:
    lines = "\n".join(f"10.{n >> 8 & 255}.{n & 255}.{n >> 16}" for n in range(39_998))
    add_records(source=ours, drafts=read_lines(lines), actor="test", now=now)
    url, data = f"{page('changelist')}?list={ours.pk}", choose(ours, across=True)
    asked = shown(alice.post(url, data))
    assert "Remove 40,000 records?" in asked
    assert len(asked) < 100_000
    assert "40,000 removed." in shown(alice.post(url, {**data, "confirmed": "yes"}, follow=True))
    assert texts() == set()
