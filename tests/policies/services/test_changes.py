"""The record of changes: who, when, from where; only added to, and one chain."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from hypothesis import given, settings as hypothesis_settings, strategies as st

from policies.chain import START, Entry, digest_of
from policies.models import Change
from policies.models.change import RecordIsKept
from policies.origin import Origin, acting_from, came_by
from policies.reports.changes import holds_digest, lines_of, verify_changes
from policies.services import record_change
from tests.record import unlocked

pytestmark = pytest.mark.django_db


def _record(number: int, *, now: datetime) -> list[Change]:
    return [
        record_change(
            actor="test", verb="write", subject=f"thing {n}", now=now + timedelta(seconds=n),
            before={"size": n, "words": ["a", None]}, after={"size": n + 1, "words": ["b"]},
        )
        for n in range(number)
    ]  # fmt: skip


def test_a_change_says_where_it_came_from_and_the_system_where_nobody_did(now: datetime) -> None:
    assert _record(1, now=now)[0].channel == "system"
    with acting_from(Origin("console", "192.0.2.7")):
        told = _record(1, now=now)[0]
        came_by("API, token backup")
        narrowed = _record(1, now=now)[0]
    assert (told.channel, told.origin) == ("console", "192.0.2.7")
    assert (narrowed.channel, narrowed.origin) == ("API, token backup", "192.0.2.7")
    assert _record(1, now=now)[0].origin == ""


def test_rows_hang_together_and_survive_being_read_back(now: datetime) -> None:
    written = _record(5, now=now)
    found = verify_changes()
    assert (found.is_whole, found.rows, found.last_id) == (True, 5, written[-1].pk)
    assert found.last_digest == written[-1].digest
    assert holds_digest(written[2].digest)
    assert not holds_digest("0" * 64)


def test_an_empty_record_is_whole() -> None:
    assert verify_changes().is_whole
    assert verify_changes().sentence == "Nothing was recorded yet."


def _alter(column: str, value: str) -> str:
    return f"UPDATE policies_change SET {column} = '{value}' WHERE id = %s"  # noqa: S608


GONE = "DELETE FROM policies_change WHERE id = %s"
TAMPERING: dict[str, tuple[str, int]] = {
    # what is done to the third of five, and the first row that tells
    "another actor": (_alter("actor", "console:mallory"), 2),
    "another verb": (_alter("verb", "nothing"), 2),
    "another subject": (_alter("subject", "device other"), 2),
    "another origin": (_alter("origin", "198.51.100.1"), 2),
    "another way": (_alter("channel", "console"), 2),
    "another moment": (_alter("at", "2020-01-01 00:00:00"), 2),
    "other values": (_alter("detail", "{}"), 2),
    "another digest": (_alter("digest", "ab" * 32), 2),
    "it is gone": (GONE, 3),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_tampering_is_found_at_its_first_row(how: str, now: datetime) -> None:
    rows = _record(5, now=now)
    statement, first = TAMPERING[how]
    with unlocked(), connection.cursor() as cursor:
        cursor.execute(statement, [rows[2].pk])
    found = verify_changes()
    assert (found.is_whole, found.broken) == (False, rows[first].pk)
    assert str(rows[first].pk) in found.sentence


def test_a_row_put_in_between_is_found(now: datetime) -> None:
    rows = _record(3, now=now)
    with unlocked(), connection.cursor() as cursor:
        cursor.execute(GONE, [rows[1].pk])
        cursor.execute(
            "INSERT INTO policies_change (id, at, actor, channel, origin, verb, subject, detail, "
            "digest) VALUES (%s, %s, 'x', '', '', 'y', 'z', '{}', %s)",
            [rows[1].pk, "2026-11-21 12:00:00", "cd" * 32],
        )
    assert verify_changes().broken == rows[1].pk


def test_the_end_cut_off_is_found_by_a_digest_that_was_written_down(now: datetime) -> None:
    rows = _record(3, now=now)
    with unlocked(), connection.cursor() as cursor:
        cursor.execute(GONE, [rows[2].pk])
    assert verify_changes().is_whole
    assert not holds_digest(rows[2].digest)


def test_no_row_can_be_altered_or_removed_through_the_models(now: datetime) -> None:
    row = _record(1, now=now)[0]
    row.actor = "console:mallory"
    for deed in (
        row.save, row.delete, Change.objects.all().delete,
        lambda: Change.objects.update(actor="x"),
        lambda: Change.objects.bulk_create([Change()]),
        lambda: Change.objects.bulk_update([row], ["actor"]),
    ):  # fmt: skip
        with pytest.raises(RecordIsKept, match="only added to"):
            deed()
    assert verify_changes().is_whole


@pytest.mark.parametrize(
    "statement", ["UPDATE policies_change SET verb = 'x'", "DELETE FROM policies_change"]
)
def test_the_database_itself_refuses(statement: str, now: datetime) -> None:
    _record(2, now=now)
    with (
        pytest.raises(DatabaseError, match="only added to"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert verify_changes().rows == 2


def test_what_is_rolled_back_leaves_no_gap(now: datetime) -> None:
    _record(1, now=now)
    with transaction.atomic():
        _record(1, now=now)
        transaction.set_rollback(True)
    _record(1, now=now)
    assert (verify_changes().rows, verify_changes().is_whole) == (2, True)


def test_names_that_nobody_expects_are_kept_as_they_are(now: datetime) -> None:
    for name in ("a\0b", "Zoë \N{PILE OF POO}", "x" * 500, '"; DROP TABLE --', "=1+1"):
        record_change(actor=name, verb="write", subject=name, now=now, after={"name": name})
    assert verify_changes().is_whole


texts = st.text(max_size=20)
entries = st.builds(
    Entry, at=st.datetimes(timezones=st.timezones()), actor=texts, channel=texts, origin=texts,
    verb=texts, subject=texts, detail=st.dictionaries(texts, st.none() | st.integers() | texts),
)  # fmt: skip


@given(one=entries, other=entries, before=st.sampled_from([START, "ab" * 32]))
@hypothesis_settings(max_examples=50)
def test_two_rows_have_one_digest_only_where_they_say_the_same(
    one: Entry, other: Entry, before: str
) -> None:
    same = digest_of(one, before=before) == digest_of(other, before=before)
    assert same == (one == other)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_given_away_is_all_of_it_the_oldest_first(form: str, now: datetime) -> None:
    rows = _record(3, now=now)
    text = "".join(lines_of(Change.objects.all(), form=form))
    if form == "csv":
        told = [dict(row) for row in csv.DictReader(io.StringIO(text))]
        for row in told:
            row["detail"] = json.loads(row["detail"])
    else:
        told = [json.loads(line) for line in text.splitlines()]
    assert [(str(row["id"]), row["digest"]) for row in told] == [
        (str(row.pk), row.digest) for row in rows
    ]
    assert told[0]["detail"] == rows[0].detail


def test_no_cell_of_the_csv_is_a_formula(now: datetime) -> None:
    record_change(actor="=cmd|x", verb="write", subject="@thing", now=now)
    head, row = csv.reader(io.StringIO("".join(lines_of(Change.objects.all(), form="csv"))))
    told = dict(zip(head, row, strict=True))
    assert (told["actor"], told["subject"]) == ("'=cmd|x", "'@thing")


def test_the_lock_outlives_later_migrations() -> None:
    """SQLite drops the triggers of a table that a migration makes anew: it has to lock it again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        held = {name for (name,) in cursor.fetchall()}
    assert {"change_is_not_altered", "change_is_not_removed"} <= held


def test_the_rows_of_an_older_site_are_chained_as_new_ones_are(now: datetime) -> None:
    rows = _record(5, now=now)
    migration = import_module("policies.migrations.0006_change_origin")
    with unlocked():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE policies_change SET digest = 'none'")
        migration.chain(_plain_models(), None)
    assert verify_changes().is_whole
    assert verify_changes().last_digest == rows[-1].digest


def _plain_models() -> Any:
    """Return models as a migration has them: without what ours forbid."""
    state = MigrationLoader(connection).project_state(("policies", "0006_change_origin"))
    return state.apps
