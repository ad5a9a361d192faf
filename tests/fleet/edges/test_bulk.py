"""Many device entries at once: what is seen before is what is done, to all or to none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import Settings

from fleet.models import Entry
from fleet.reports.effective import effective_of, inherited_by
from fleet.services.bulk import BulkChange, apply_bulk, preview_bulk
from fleet.services.entries import configure_entry
from fleet.services.groups import set_group_settings
from fleet.services.steering import Change
from policies.models import Change as Record
from policies.reports.changes import verify_changes
from policies.services import Outdated, Refused
from tests.factories import make_policy
from tests.fleet.edges.rows import make_entry, make_group

pytestmark = pytest.mark.django_db


def _settings(**settings: object) -> BulkChange:
    return BulkChange(Change(settings))


def _apply(change: BulkChange, *, now: datetime) -> None:
    entries = Entry.objects.all()
    digest = preview_bulk(entries=entries, change=change).digest
    apply_bulk(entries=entries, change=change, digest=digest, actor="test", now=now)


def test_a_preview_tells_what_really_changes_and_changes_nothing(now: datetime) -> None:
    make_entry(now=now, nickname="a")
    make_entry(now=now, nickname="b", settings={"verdict": "reject"})
    preview = preview_bulk(entries=Entry.objects.all(), change=_settings(verdict="reject"))
    (line,) = preview.changed
    (one,) = line.differences
    assert (line.entry.nickname, one.name, one.before, one.after) == (
        "a", "verdict", "drop", "reject",
    )  # fmt: skip
    assert (preview.refused, preview.unchanged) == ((), 1)
    assert Entry.objects.get(nickname="a").settings == {}


def test_what_is_applied_is_due_and_recorded_for_each_entry(now: datetime) -> None:
    for name in ("a", "b"):
        make_entry(now=now, nickname=name)
    Entry.objects.update(due_at=None)
    _apply(_settings(log_size="200k", upload_proxy_password="secret"), now=now)
    for entry in Entry.objects.all():
        assert entry.settings == {"log_size": 200_000}
        assert entry.due_at == now
        told = Record.objects.filter(subject=f"entry {entry.nickname}").latest("id")
        assert told.detail == {
            "log_size": [None, 200_000],
            "upload_proxy_password": [None, "set"],
        }
    assert verify_changes().is_whole


def test_a_preview_shows_no_secret(now: datetime) -> None:
    make_entry(now=now)
    change = _settings(upload_proxy_password="s3cret")
    preview = preview_bulk(entries=Entry.objects.all(), change=change)
    (one,) = preview.changed[0].differences
    assert (one.before, one.after) == ("", "set")


def test_another_secret_is_a_change_though_both_look_alike(now: datetime) -> None:
    make_entry(now=now, settings={"upload_proxy_password": "old"})
    preview = preview_bulk(
        entries=Entry.objects.all(), change=_settings(upload_proxy_password="new")
    )
    assert len(preview.changed) == 1


def test_what_changes_out_of_sight_is_told_in_words(now: datetime) -> None:
    north = make_group("north", now=now)
    set_group_settings(group=north, settings={"log_size": "1M"}, actor="test", now=now)
    make_entry(now=now, group=north, settings={"verdict": "drop", "upload_proxy_password": "old"})
    change = _settings(verdict=None, log_size="1M", upload_proxy_password="new")
    (line,) = preview_bulk(entries=Entry.objects.all(), change=change).changed
    assert {one.name: one.note for one in line.differences} == {
        "verdict": "inherited from now on", "log_size": "its own from now on",
        "upload_proxy_password": "another one",
    }  # fmt: skip
    assert all(one.before == one.after for one in line.differences)


def test_nobody_finds_a_secret_by_the_digest_without_the_key(
    now: datetime, settings: Settings
) -> None:
    make_entry(now=now, settings={"upload_proxy_password": "s3cret"})

    def digest() -> str:
        change = _settings(verdict="reject")
        return preview_bulk(entries=Entry.objects.all(), change=change).digest

    first = digest()
    assert digest() == first
    settings.SECRET_KEY = "another one"
    assert digest() != first


def test_one_that_refuses_keeps_all_as_they_are(now: datetime) -> None:
    make_entry(now=now, nickname="a")
    make_entry(now=now, nickname="f", kind="firepower", settings={"management_ip": "192.0.2.9"})
    change = _settings(verdict="reject")
    preview = preview_bulk(entries=Entry.objects.all(), change=change)
    assert [line.entry.nickname for line in preview.refused] == ["f"]
    with pytest.raises(Refused, match="f: verdict"):
        _apply(change, now=now)
    assert not Entry.objects.exclude(settings__verdict=None).exists()


def test_what_a_kind_cannot_do_without_cannot_be_taken_away(now: datetime) -> None:
    make_entry(now=now, kind="firepower", settings={"management_ip": "192.0.2.9"})
    preview = preview_bulk(entries=Entry.objects.all(), change=_settings(management_ip=None))
    assert "required" in preview.refused[0].refusal


def test_what_would_do_something_else_by_now_is_not_done(now: datetime) -> None:
    entry = make_entry(now=now)
    change, entries = _settings(verdict="reject"), Entry.objects.all()
    digest = preview_bulk(entries=entries, change=change).digest
    configure_entry(entry=entry, change=Change({"verdict": "reject"}), actor="bob", now=now)
    with pytest.raises(Outdated):
        apply_bulk(entries=entries, change=change, digest=digest, actor="test", now=now)


def test_a_move_shows_what_the_new_group_brings(now: datetime) -> None:
    north, policy = make_group("north", now=now), make_policy(now=now, name="edge")
    set_group_settings(
        group=north, settings={"log_size": "1M"}, policy=policy, actor="test", now=now
    )
    entry = make_entry(now=now)
    change = BulkChange(group=north)
    preview = preview_bulk(entries=Entry.objects.all(), change=change)
    told = {one.name: (one.before, one.after) for one in preview.changed[0].differences}
    assert told["group"] == (None, "north")
    assert told["policy"] == (None, "edge")
    assert told["log_size"] == (100_000, 1_000_000)
    _apply(change, now=now)
    entry.refresh_from_db()
    assert entry.group == north


def test_hundreds_take_a_few_questions(now: datetime) -> None:
    """But for the record, in which each entry has a row of its own."""

    def asked(number: int) -> int:
        make = (
            Entry(nickname=f"n{number}-{n}", device_id=f"tdid_{number}_{n}", kind="iptables",
                  created_at=now)
            for n in range(number)
        )  # fmt: skip
        Entry.objects.bulk_create(make)
        entries = Entry.objects.filter(nickname__startswith=f"n{number}-")
        change = _settings(verdict="reject")
        with CaptureQueriesContext(connection) as queries:
            digest = preview_bulk(entries=entries, change=change).digest
            apply_bulk(entries=entries, change=change, digest=digest, actor="test", now=now)
        return sum("policies_change" not in query["sql"] for query in queries)

    assert asked(300) < 30  # a database takes no more than about a hundred rows in one go


def test_nothing_to_change_is_said(now: datetime) -> None:
    with pytest.raises(Refused, match="nothing is to be changed"):
        preview_bulk(entries=Entry.objects.all(), change=BulkChange())


VALUES: dict[str, Any] = {
    "verdict": st.sampled_from(["drop", "reject", None]),
    "log_size": st.sampled_from(["100k", "1M", None]),
    "enforcer": st.sampled_from(["iptables", "nftables", None]),
}


class TestAgreement(TestCase):
    @given(
        first=st.fixed_dictionaries({}, optional=VALUES),
        then=st.fixed_dictionaries({}, optional=VALUES).filter(bool),
    )
    def test_what_was_previewed_is_what_is_in_force_afterwards(
        self, first: dict[str, object], then: dict[str, object]
    ) -> None:
        now = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
        held = {name: value for name, value in first.items() if value is not None}
        entry = make_entry(now=now, settings=held)
        before = effective_of(entry, None).values
        rows = Entry.objects.filter(pk=entry.pk)
        change = BulkChange(Change(then))
        preview = preview_bulk(entries=rows, change=change)
        apply_bulk(entries=rows, change=change, digest=preview.digest, actor="test", now=now)
        entry.refresh_from_db()
        after = effective_of(entry, inherited_by(entry)).values
        differing = {name for name in after if after[name] != before[name]}
        told = [one for line in preview.changed for one in line.differences]
        assert {one.name for one in told if not one.note} == differing
        assert all((before[one.name], after[one.name]) == (one.before, one.after) for one in told)
