"""Lists kept here: what a person puts in is in force until it is taken out or expires."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis, strategies as st

from netsets.cidr import AddressSet
from netsets.span import Span
from policies.models import Change, ListRecord, Policy, Source
from policies.services import (
    LinesRefused,
    Member,
    Refused,
    add_records,
    change_policy,
    change_record,
    change_source,
    create_policy,
    create_source,
    create_user_list,
    delete_source,
    expire_records,
    export_csv,
    refresh_policy,
    remove_records,
    replace_records,
    retrieve_source,
)
from policies.services.record_text import Draft, Drafts, read_csv, read_lines
from policies.sources import user_list
from policies.states import Outcome, Role
from policies.store import get_set
from policies.tasks import send_due
from tests.factories import make_policy, stopped

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def make_list(*entries: str, now: datetime, name: str = "ours", type: str = "block") -> Source:  # noqa: A002
    source = create_user_list(name=name, type=type, actor="test", now=now)
    add(source, *entries, now=now)
    return source


def add(source: Source, *entries: str, now: datetime, expires_at: datetime | None = None) -> None:
    drafts = read_lines("\n".join(entries), expires_at=expires_at)
    add_records(source=source, drafts=drafts, actor="console:alice", now=now)


def texts(source: Source) -> list[str]:
    return list(source.records.order_by("id").values_list("text", flat=True))


def listed(source: Source, *, now: datetime) -> AddressSet:
    """Return what a retrieval brings."""
    retrieve_source(source_id=source.pk, now=now)
    source.refresh_from_db()
    return get_set(source.list_digest)


def test_a_record_says_who_when_and_why(now: datetime) -> None:
    source = make_list("203.0.113.0-203.0.113.255 # scanner", now=now)
    record = source.records.get()
    assert (record.text, record.note) == ("203.0.113.0/24", "scanner")
    assert (record.added_by, record.added_at, record.expires_at) == ("console:alice", now, None)
    change = Change.objects.get(verb="add")
    assert (change.actor, change.subject) == ("console:alice", "source ours")
    assert change.detail == {"records added": [None, "1: 203.0.113.0/24"]}


def test_a_policy_blocks_what_the_list_holds(now: datetime) -> None:
    source = make_list("1.2.3.4", "1.2.4.1-1.2.4.9", "2a00:1::/32", now=now)
    policy = create_policy(name="p", members=[Member(source, Role.BLOCK)], actor="test", now=now)
    refresh_policy(policy=policy, clock=stopped(now))
    policy.refresh_from_db()
    assert policy.current is not None
    held = get_set(policy.current.block_digest)
    assert held == AddressSet.of("1.2.3.4", "1.2.4.1-1.2.4.9", "2a00:1::/32")


def test_lists_are_never_the_same_list_however_equal(now: datetime) -> None:
    one, two = (create_user_list(name=n, type="block", actor="test", now=now) for n in "ab")
    add(one, "203.0.113.7", now=now)
    assert texts(two) == []


def test_failures_23_an_allow_list_is_never_taken_to_block_nor_the_reverse(
    now: datetime,
) -> None:
    policy = make_policy(now=now)
    for kind, role in (("allow", Role.BLOCK), ("block", Role.ALLOW)):
        source = make_list(now=now, name=f"list to {kind}", type=kind)
        wrong, right = Member(source, role), Member(source, Role(kind))
        reason = f"is a list to {kind}; a policy cannot take it to {role}"
        with pytest.raises(Refused, match=reason):
            create_policy(name="p", members=[wrong], actor="test", now=now)
        with pytest.raises(Refused, match=reason):
            change_policy(policy=policy, changes={}, members=[wrong], actor="test", now=now)
        change_policy(policy=policy, changes={}, members=[right], actor="test", now=now)
        with pytest.raises(Refused, match="policies rely on it; make a new list"):
            change_source(source=source, changes={"settings": {"type": str(role)}},
                          actor="test", now=now)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "memory", "settings": {"entries": []}}, "cannot become another kind"),
        ({"settings": {"type": "block", "entries": ["203.0.113.7"]}}, "add them to it as records"),
        ({"settings": {"type": "monitor"}}, "type must be one of allow, block"),
    ],
)
def test_a_list_kept_here_stays_one(now: datetime, changes: dict[str, object], reason: str) -> None:
    source = make_list(now=now)
    with pytest.raises(Refused, match=reason):
        change_source(source=source, changes=changes, actor="test", now=now)
    fixed = create_source(
        name="fixed", kind="memory", settings={"entries": []}, actor="test", now=now
    )
    with pytest.raises(Refused, match="nor the reverse"):
        change_source(source=fixed, changes={"kind": "user", "settings": {"type": "block"}},
                      actor="test", now=now)  # fmt: skip


def test_a_renamed_list_keeps_its_records_and_frees_its_name(now: datetime) -> None:
    source = make_list("203.0.113.7", now=now)
    change_source(source=source, changes={"name": "theirs"}, actor="test", now=now)
    make_list("203.0.113.8", now=now, name="ours")
    assert texts(source) == ["203.0.113.7"]


def test_an_empty_list_is_an_ordinary_thing_and_emptying_one_too(now: datetime) -> None:
    source = make_list(now=now)
    assert listed(source, now=now) == AddressSet.empty()
    add(source, *(f"203.0.113.{n}" for n in range(0, 200, 2)), now=now)
    assert listed(source, now=now).count == 100
    remove_records(source=source, records=ListRecord.objects.all(), actor="test", now=now)
    assert listed(source, now=now) == AddressSet.empty()
    assert source.retrievals.exclude(outcome=Outcome.CHANGED).count() == 0


def test_a_paste_with_any_refused_line_adds_nothing(now: datetime) -> None:
    source = make_list("203.0.113.9", now=now)
    drafts = read_lines("203.0.113.7\nexample.net\n203.0.113.9\n203.0.113.7/32\n")
    with pytest.raises(LinesRefused) as refused:
        add_records(source=source, drafts=drafts, actor="test", now=now)
    reasons = [(bad.line, bad.reason.rpartition(": ")[2]) for bad in refused.value.bad]
    assert reasons == [
        (2, "host name"),
        (3, "203.0.113.9 is in the list already"),
        (4, "203.0.113.7 stands in line 1 already"),
    ]
    assert texts(source) == ["203.0.113.9"]
    assert Change.objects.filter(verb="add").count() == 1


def test_what_cannot_be_taken_is_left_out_when_asked(now: datetime) -> None:
    source = make_list(now=now)
    drafts = read_lines("203.0.113.7\nexample.net\n")
    written = add_records(source=source, drafts=drafts, skip_bad=True, actor="test", now=now)
    assert (written.added, [bad.line for bad in written.bad]) == (1, [2])
    assert texts(source) == ["203.0.113.7"]


def test_a_long_refusal_names_the_first_lines_and_counts_the_rest(now: datetime) -> None:
    source = make_list(now=now)
    with pytest.raises(LinesRefused, match=r"line 5: .*; and 15 more$"):
        add_records(source=source, drafts=read_lines("x\n" * 20), actor="test", now=now)


def test_a_list_takes_so_many_records_and_no_more(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user_list.MAX_RECORDS >= 32_000
    monkeypatch.setattr("policies.services.user_lists.MAX_RECORDS", 3)
    source = make_list("203.0.113.1", "203.0.113.2", now=now)
    with pytest.raises(Refused, match="would hold 4 records; a list takes 3"):
        add(source, "203.0.113.3", "203.0.113.4", now=now)
    add(source, "203.0.113.3", now=now)
    assert len(texts(source)) == 3


def test_other_kinds_have_no_records(now: datetime) -> None:
    source = make_policy(now=now).sources.get()
    with pytest.raises(Refused, match="is no list that is kept here"):
        add(source, "203.0.113.1", now=now)


def test_every_write_leaves_the_list_and_its_policies_due(now: datetime) -> None:
    source = make_list("203.0.113.1", now=now)
    create_policy(name="p", members=[Member(source, Role.BLOCK)], actor="test", now=now)
    record = source.records.get()
    two = read_lines("203.0.113.2")
    later, actor = now + HOUR, "test"
    writes = (
        lambda: add_records(source=source, drafts=two, actor=actor, now=later),
        lambda: change_record(record=record, changes={"note": "x"}, actor=actor, now=later),
        lambda: replace_records(source=source, drafts=two, actor=actor, now=later),
        lambda: remove_records(
            source=source, records=ListRecord.objects.all(), actor=actor, now=later
        ),
    )
    for write in writes:
        Source.objects.update(due_at=now)
        Policy.objects.update(due_at=None)
        write()
        assert Source.objects.get().due_at == later
        assert Policy.objects.get().due_at == later


def test_an_expired_record_is_not_retrieved_and_leaves_at_the_next_tick(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_list("203.0.113.1", now=now)
    create_policy(name="p", members=[Member(source, Role.BLOCK)], actor="test", now=now)
    add(source, "203.0.113.2", "203.0.113.3", now=now, expires_at=now + HOUR)
    assert listed(source, now=now).count == 3
    Source.objects.update(due_at=now + 2 * HOUR)
    later = now + HOUR
    monkeypatch.setattr("policies.tasks.timezone.now", lambda: later)
    sent: list[dict[str, int]] = []
    for job in ("retrieve_source", "compile_policy"):
        monkeypatch.setattr(
            f"policies.tasks.{job}.apply_async", lambda *, kwargs, expires: sent.append(kwargs)
        )
    send_due()
    assert {"source_id": source.pk} in sent
    assert texts(source) == ["203.0.113.1"]
    change = Change.objects.get(verb="expire")
    assert (change.actor, change.subject, change.at) == ("expiry", "source ours", later)
    assert change.detail == {"records expired": ["2: 203.0.113.2, 203.0.113.3", None]}
    assert expire_records(now=later) == 0


def test_a_retrieval_before_the_tick_leaves_out_what_has_expired(now: datetime) -> None:
    source = make_list("203.0.113.1", now=now)
    add(source, "203.0.113.2", now=now, expires_at=now + HOUR)
    assert listed(source, now=now + HOUR) == AddressSet.of("203.0.113.1")
    assert texts(source) == ["203.0.113.1", "203.0.113.2"]


def test_what_has_expired_may_be_added_again_before_the_tick(now: datetime) -> None:
    source = make_list(now=now)
    add(source, "203.0.113.2 # first", now=now, expires_at=now + HOUR)
    add(source, "203.0.113.2 # again", now=now + HOUR)
    assert [(one.text, one.note) for one in source.records.all()] == [("203.0.113.2", "again")]


def test_nothing_is_added_that_has_expired_already(now: datetime) -> None:
    source = make_list(now=now)
    with pytest.raises(LinesRefused, match="would have expired on 2026-11-21 12:00 UTC"):
        add(source, "203.0.113.2", now=now, expires_at=now)


def test_a_record_changes_its_note_and_its_end_and_nothing_else(now: datetime) -> None:
    source = make_list("203.0.113.1", now=now)
    record = source.records.get()
    changes = {"note": " new  note ", "expires_at": now + HOUR}
    change_record(record=record, changes=changes, actor="test", now=now)
    record.refresh_from_db()
    assert (record.note, record.expires_at) == ("new note", now + HOUR)
    assert Change.objects.get(verb="change").detail == {
        "203.0.113.1 note": ["", "new note"],
        "203.0.113.1 expires_at": [None, str(now + HOUR)],
    }
    for name, value in (("text", "x"), ("expires_at", now), ("note", "x" * 201)):
        with pytest.raises(Refused) as refused:
            change_record(record=record, changes={name: value}, actor="test", now=now)
        assert refused.value.setting == name


def test_a_record_that_is_gone_is_not_changed(now: datetime) -> None:
    source = make_list("203.0.113.1", now=now)
    record = source.records.get()
    ListRecord.objects.all().delete()
    with pytest.raises(Refused, match="no longer in the list"):
        change_record(record=record, changes={"note": "x"}, actor="test", now=now)


def test_records_of_another_list_are_not_removed(now: datetime) -> None:
    one = make_list("203.0.113.1", now=now, name="one")
    two = make_list("203.0.113.1", now=now, name="two")
    everything = ListRecord.objects.all()
    assert remove_records(source=one, records=everything, actor="test", now=now) == 1
    assert (texts(one), texts(two)) == ([], ["203.0.113.1"])
    detail = {"records removed": ["1: 203.0.113.1", None]}
    assert Change.objects.get(verb="remove").detail == detail


def test_a_replaced_list_keeps_who_added_what_stays(now: datetime) -> None:
    source = make_list("203.0.113.1", "203.0.113.2 # old", "203.0.113.3", now=now)
    drafts = read_lines("203.0.113.1\n203.0.113.2 # new\n203.0.113.4")
    written = replace_records(source=source, drafts=drafts, actor="tsadmin:bob", now=now + HOUR)
    assert (written.added, written.changed, written.removed) == (1, 1, 1)
    rows = [(one.text, one.note, one.added_by) for one in source.records.all()]
    assert rows == [
        ("203.0.113.1", "", "console:alice"),
        ("203.0.113.2", "new", "console:alice"),
        ("203.0.113.4", "", "tsadmin:bob"),
    ]
    before = Change.objects.count()
    replace_records(source=source, drafts=drafts, actor="tsadmin:bob", now=now + HOUR)
    assert Change.objects.count() == before


def test_a_refused_replacement_changes_nothing(now: datetime) -> None:
    source = make_list("203.0.113.1", now=now)
    with pytest.raises(LinesRefused):
        replace_records(source=source, drafts=read_lines("203.0.113.2\nx"), actor="a", now=now)
    assert texts(source) == ["203.0.113.1"]


def test_a_deleted_list_takes_its_records_with_it(now: datetime) -> None:
    source = make_list("203.0.113.1", now=now)
    delete_source(source=source, actor="test", now=now)
    assert not ListRecord.objects.exists()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("203.0.113.5", ["203.0.113.0/29", "203.0.113.5-203.0.113.9"]),
        ("203.0.113.9", ["203.0.113.5-203.0.113.9"]),
        ("203.0.113.10", []),
        ("203.0.0.0/16", ["203.0.113.0/29", "203.0.113.5-203.0.113.9"]),
        ("2001:db8::1:0-2001:db8::2:0", ["2001:db8::/64"]),
        ("::cb00:7105", []),
    ],
)
def test_records_are_found_by_the_addresses_they_hold(
    now: datetime, asked: str, found: list[str]
) -> None:
    source = make_list("203.0.113.5-203.0.113.9", "2001:db8::/64", "203.0.113.0/29", now=now)
    touching = source.records.touching(Span.exactly(asked))
    assert [record.text for record in touching.order_by("first")] == found


records = st.builds(
    lambda n, width, note, hours: (n, width, note, hours),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 1 << 24 >> 1),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=50),
    st.none() | st.integers(1, 10_000),
)


@hypothesis(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, max_size=20))
def test_what_is_exported_and_imported_is_the_same_list(
    now: datetime, rows: list[tuple[int, int, str, int | None]]
) -> None:
    drafts = [_draft(*row, now=now) for row in rows]
    ListRecord.objects.all().delete()
    one, two = (Source.objects.filter(name=name).first() or make_list(now=now, name=name)
                for name in ("one", "two"))  # fmt: skip
    wanted = Drafts(tuple(drafts))
    add_records(source=one, drafts=wanted, skip_bad=True, actor="test", now=now)
    exported = "".join(export_csv(source=one, now=now))
    again = add_records(source=two, drafts=read_csv(exported), actor="test", now=now)
    assert again.bad == ()
    columns = ("text", "family", "first", "last", "note", "expires_at")
    kept = [list(s.records.order_by("id").values_list(*columns)) for s in (one, two)]
    assert kept[0] == kept[1]


def _draft(first: int, width: int, note: str, hours: int | None, *, now: datetime) -> Draft:
    last = min(first + width, (1 << 32) - 1)
    expires_at = None if hours is None else now + hours * HOUR
    span = Span(4, first, last)
    return Draft(str(span), span, " ".join(note.split()), expires_at)


def test_an_export_leaves_out_what_has_expired(now: datetime) -> None:
    source = make_list("203.0.113.1 # kept", now=now)
    add(source, "203.0.113.2", now=now, expires_at=now + HOUR)
    lines = "".join(export_csv(source=source, now=now + HOUR)).splitlines()
    assert lines == ["entry,note,expires", "203.0.113.1,kept,"]
