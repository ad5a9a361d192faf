from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.core.files.storage import storages
from django.db import transaction
from hypothesis import given

from netsets.span import Span
from policies.models import Policy, ProtectedAddress, Snapshot, Source
from policies.reports.listed import ListAnswer
from policies.reports.why import SnapshotAnswer, WhyReader
from policies.services import prune, return_to_snapshot
from policies.states import Role
from tests.factories import make_policy, make_source, publish, republish
from tests.policies.reports.worlds import World, each, publish_world, take, worlds

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def ask(snapshot: Snapshot, text: str) -> SnapshotAnswer:
    return WhyReader(Span.of(text)).snapshot(snapshot)


def told(answer: ListAnswer) -> list[tuple[str, int]]:
    return [(entry.text, entry.line) for entry in answer.entries]


def extent_of(asked: set[int], held: set[int]) -> str:
    return "wholly" if asked <= held else "partly" if asked & held else "not"


@given(worlds)
def test_the_answer_is_what_a_look_at_every_address_says(world: World) -> None:
    with transaction.atomic():
        snapshot = publish_world(world)
        answer = WhyReader(world.asked).snapshot(snapshot)
        transaction.set_rollback(True)
    asked = each([world.asked])
    assert answer.blocked == extent_of(asked, world.blocked)
    assert answer.allowed == extent_of(asked, each(world.allow))
    block = [one for one in answer.lists if one.role == Role.BLOCK]
    for one, spans in zip(block, world.block, strict=True):
        check_list(one, spans, world.asked)
    for one in answer.lists[len(block) :]:
        check_list(one, world.allow, world.asked)
    assert cuts_of(answer) == expected_cuts(world, asked)


def check_list(answer: ListAnswer, spans: Sequence[Span], asked: Span) -> None:
    """Hold a list's answer to its lines."""
    lines: dict[Span, int] = {}
    for line, span in enumerate(spans, start=1):
        lines.setdefault(span, line)
    covering = {one for one in lines if one.first <= asked.first and asked.last <= one.last}
    inside = {one for one in lines if asked.first <= one.first and one.last <= asked.last}
    touching = {one for one in lines if one.first <= asked.last and asked.first <= one.last}
    assert answer.extent == extent_of(each([asked]), each(spans))
    assert {entry.span for entry in answer.entries} == covering
    assert {entry.span for entry in answer.inside_first} == inside - covering
    assert answer.inside == len(inside - covering)
    assert {entry.span for entry in answer.crossing} == touching - covering - inside
    assert all(lines[entry.span] == entry.line for entry in answer.named)
    sizes = [entry.span.size for entry in answer.entries]
    assert sizes == sorted(sizes, reverse=True)


def cuts_of(answer: SnapshotAnswer) -> set[tuple[str, str]]:
    found = set()
    for cut in answer.cuts:
        named = {entry.text for entry in cut.entries}
        found |= {(cut.reason, text) for text in named or {cut.label}}
    return found


def expected_cuts(world: World, asked: set[int]) -> set[tuple[str, str]]:
    named = world.named & asked
    found = {
        ("allowed", str(span)) for span in world.allow if each([span]) & named
    } | {
        ("protected", f"{span}: ours")
        for span in world.protected
        if each([span]) & named & world.ordinary
    }  # fmt: skip
    if named - world.ordinary:
        found.add(("special-purpose", "special-purpose range"))
    return found if named - world.blocked else set()


@pytest.fixture
def halves(now: datetime) -> Snapshot:
    """Two lists that hold one half each of a network, which the feed tells as one prefix."""
    policy = Policy.objects.create(name="halves", due_at=now)
    take(policy, ["5.6.7.0/25"], Role.BLOCK)
    take(policy, ["9.9.9.9", "5.6.7.128/25"], Role.BLOCK)
    return publish(policy, now=now)


def test_an_entry_is_found_after_two_halves_became_one_prefix(halves: Snapshot) -> None:
    low, high = ask(halves, "5.6.7.8").lists
    assert (told(low), told(high)) == ([("5.6.7.0/25", 1)], [])
    low, high = ask(halves, "5.6.7.200").lists
    assert (told(low), told(high)) == ([], [("5.6.7.128/25", 2)])


def test_a_prefix_that_no_single_entry_holds_is_blocked_by_two(halves: Snapshot) -> None:
    answer = ask(halves, "5.6.7.0/24")
    assert (answer.blocked, answer.is_listed) == ("wholly", True)
    assert [one.extent for one in answer.lists] == ["partly", "partly"]
    assert [one.entries for one in answer.lists] == [(), ()]
    assert [[entry.text for entry in one.inside_first] for one in answer.lists] == [
        ["5.6.7.0/25"],
        ["5.6.7.128/25"],
    ]


def test_every_nested_entry_is_told_the_widest_first(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.8", "5.6.0.0/16", "5.6.7.8", "5.6.7.0-5.6.7.99"])
    answer = ask(publish(policy, now=now), "5.6.7.8")
    assert told(answer.lists[0]) == [("5.6.0.0/16", 2), ("5.6.7.0-5.6.7.99", 4), ("5.6.7.8", 1)]


def test_an_entry_is_told_with_what_an_allow_entry_took_out_of_it(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/16"], allow=["9.9.9.9", "5.6.7.8"])
    snapshot = publish(policy, now=now)
    answer = ask(snapshot, "5.6.7.8")
    assert (answer.blocked, answer.allowed) == ("not", "wholly")
    assert told(answer.lists[0]) == [("5.6.0.0/16", 1)]
    (cut,) = answer.cuts
    allow = Source.objects.get(policy_sources__role=Role.ALLOW)
    assert (cut.reason, cut.label, cut.source) == ("allowed", allow.name, allow.pk)
    assert [(entry.text, entry.line) for entry in cut.entries] == [("5.6.7.8", 2)]
    assert ask(snapshot, "5.6.7.9").cuts == ()
    assert ask(snapshot, "5.6.7.9").blocked == "wholly"


def test_an_allow_entry_that_cut_nothing_is_not_blamed(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.0/25"], allow=["5.6.7.1", "5.6.7.200"])
    (cut,) = ask(publish(policy, now=now), "5.6.7.0/24").cuts
    assert [entry.text for entry in cut.entries] == ["5.6.7.1"]


@pytest.mark.parametrize(
    ("asked", "reason", "label"),
    [
        ("5.6.7.8", "protected", "5.6.7.0/24: the office"),
        ("198.41.0.4", "critical", "root name servers: a.root-servers.net"),
        ("2001:503:ba3e::2:30", "critical", "root name servers: a.root-servers.net"),
        ("10.1.2.3", "special-purpose", "special-purpose range"),
        ("fe80::1", "special-purpose", "special-purpose range"),
    ],
)
def test_what_cut_an_address_is_told_by_its_name(
    asked: str, reason: str, label: str, now: datetime
) -> None:
    ProtectedAddress.objects.create(network="5.6.7.0/24", reason="the office")
    lists = ["5.6.0.0/16", "198.41.0.0/24", "2001:503::/32", "10.0.0.0/8", "fe80::/64"]
    answer = ask(publish(make_policy(now=now, block=lists), now=now), asked)
    assert answer.blocked == "not"
    assert [(cut.reason, cut.label) for cut in answer.cuts] == [(reason, label)]


def test_a_bogon_policy_keeps_special_ranges_and_blames_them_only_where_it_does_not(
    now: datetime,
) -> None:
    policy = make_policy(now=now, block=["100.64.0.0/10", "169.254.0.0/16"], keep_special=True)
    snapshot = publish(policy, now=now)
    kept = ask(snapshot, "100.64.2.3")
    assert (kept.blocked, kept.cuts) == ("wholly", ())
    assert (ask(snapshot, "100.0.0.0/9").blocked, ask(snapshot, "100.0.0.0/9").cuts) == (
        "partly",
        (),
    )
    assert [cut.reason for cut in ask(snapshot, "169.254.1.1").cuts] == ["special-purpose"]


def test_an_address_that_no_list_names_has_no_cut(now: datetime) -> None:
    snapshot = publish(make_policy(now=now, block=["5.6.7.8"], allow=["9.9.9.9"]), now=now)
    answer = ask(snapshot, "9.9.9.9")
    assert (answer.blocked, answer.is_listed, answer.cuts) == ("not", False, ())


def test_first_and_last_seen_are_those_of_the_entry(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.8", "9.9.9.9"])
    publish(policy, now=now)
    republish(policy, "5.6.7.8", "5.6.7.0/24", now=now + HOUR)
    snapshot = republish(policy, "5.6.7.8", "5.6.7.0/24", now=now + 2 * HOUR)
    wide, host = ask(snapshot, "5.6.7.8").lists[0].entries
    assert (host.first_seen, host.last_seen, host.is_listed) == (now, now + 2 * HOUR, True)
    assert (wide.first_seen, wide.last_seen) == (now + HOUR, now + 2 * HOUR)


def test_what_was_listed_once_is_told_with_the_moment_it_was_missed(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.8", "9.9.9.9"])
    publish(policy, now=now)
    snapshot = republish(policy, "9.9.9.9", now=now + HOUR)
    answer = ask(snapshot, "5.6.7.8")
    (gone,) = answer.lists[0].gone
    assert (answer.blocked, answer.is_listed, answer.lists[0].entries) == ("not", False, ())
    assert (gone.text, gone.first_seen, gone.last_seen) == ("5.6.7.8", now, now + HOUR)
    assert not gone.is_listed


def test_an_earlier_snapshot_tells_the_entry_that_has_gone_since_once(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.8", "9.9.9.9"])
    earlier = publish(policy, now=now)
    republish(policy, "9.9.9.9", now=now + HOUR)
    (listed,) = ask(earlier, "5.6.7.8").lists
    assert told(listed) == [("5.6.7.8", 1)]
    assert (listed.entries[0].is_listed, listed.gone) == (False, ())


def test_a_list_that_no_policy_takes_is_told_apart(now: datetime) -> None:
    snapshot = publish(make_policy(now=now, block=["5.6.7.8"]), now=now)
    other = make_source(entries=["5.6.0.0/16"], now=now)
    policy = make_policy(now=now, block=["9.9.9.9"])
    policy.policy_sources.create(source=other, role=Role.BLOCK)
    publish(policy, now=now)
    policy.delete()
    reader = WhyReader(Span.of("5.6.7.8"))
    found = {one.name: one for one in reader.other_lists([reader.snapshot(snapshot)])}
    assert told(found[other.name]) == [("5.6.0.0/16", 1)]
    assert found[other.name].role is None
    assert not set(found) & {one["name"] for one in snapshot.sources}


def test_a_newer_list_that_is_not_in_force_yet_is_told_apart(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.8"])
    earlier = publish(policy, now=now)
    republish(policy, "5.6.7.8", "7.7.7.7", now=now + HOUR)
    reader = WhyReader(Span.of("7.7.7.7"))
    (newest,) = reader.other_lists([reader.snapshot(earlier)])
    assert told(newest) == [("7.7.7.7", 2)]


@pytest.mark.parametrize("damage", ["lost", "empty", "short", "no set"])
def test_a_list_whose_file_is_lost_says_so_and_hides_no_other(damage: str, now: datetime) -> None:
    policy = Policy.objects.create(name="two", due_at=now)
    first = take(policy, ["5.6.7.8"], Role.BLOCK)
    take(policy, ["5.6.7.0/24"], Role.BLOCK)
    snapshot = publish(policy, now=now)
    first.refresh_from_db()
    for digest in (first.list_digest, first.entries_digest):
        spoil(digest, damage)
        lost, whole = ask(snapshot, "5.6.7.8").lists
        assert lost.trouble.startswith("the list cannot be read: ")
        assert (told(whole), whole.trouble) == ([("5.6.7.0/24", 1)], "")


def test_a_lost_ledger_costs_the_dates_and_nothing_else(now: datetime) -> None:
    snapshot = publish(make_policy(now=now, block=["5.6.7.8"]), now=now)
    spoil(Source.objects.get().ledger_digest, "lost")
    (entry,) = ask(snapshot, "5.6.7.8").lists[0].entries
    assert (entry.text, entry.first_seen, entry.last_seen) == ("5.6.7.8", None, None)


def test_a_snapshot_whose_own_file_is_lost_raises(now: datetime) -> None:
    snapshot = publish(make_policy(now=now, block=["5.6.7.8"]), now=now)
    spoil(snapshot.block_digest, "lost")
    with pytest.raises(OSError, match="No such file"):
        ask(snapshot, "5.6.7.8")


def test_a_snapshot_of_an_older_version_is_told_as_far_as_it_was_kept(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/16", "10.0.0.0/8"], allow=["5.6.7.8"])
    snapshot = publish(policy, now=now)
    kept = [{key: one[key] for key in ("name", "role", "digest")} for one in snapshot.sources]
    Snapshot.objects.update(sources=kept, cut_items=[], before_digest="")
    snapshot.refresh_from_db()
    answer = ask(snapshot, "5.6.7.8")
    assert [(one.extent, one.entries) for one in answer.lists] == [("wholly", ()), ("wholly", ())]
    assert [(cut.reason, cut.entries) for cut in answer.cuts] == [("allowed", ())]
    assert [cut.reason for cut in ask(snapshot, "10.1.2.3").cuts] == ["special-purpose"]


def test_what_an_earlier_snapshot_had_cut_is_called_unknown_after_a_return_to_it(
    now: datetime,
) -> None:
    row = ProtectedAddress.objects.create(network="5.6.7.8", reason="the office")
    policy = make_policy(now=now, block=["5.6.0.0/16"])
    earlier = publish(policy, now=now)
    row.delete()
    republish(policy, "5.6.0.0/16", "9.9.9.9", now=now + HOUR)
    return_to_snapshot(snapshot=earlier, actor="alice", now=now + HOUR)
    policy.refresh_from_db()
    assert policy.current is not None
    answer = ask(policy.current, "5.6.7.8")
    assert answer.blocked == "not"
    assert [cut.reason for cut in answer.cuts] == ["unknown"]


def test_pruning_keeps_what_an_answer_needs(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/16"], allow=["5.6.7.8"])
    snapshot = publish(policy, now=now)
    prune(now=now + timedelta(days=3650), keep=10, held=())
    answer = ask(snapshot, "5.6.7.8")
    assert [entry.text for cut in answer.cuts for entry in cut.entries] == ["5.6.7.8"]
    assert [one.trouble for one in answer.lists] == ["", ""]
    assert answer.lists[0].entries[0].first_seen == now


def spoil(digest: str, how: str) -> None:
    """Damage a stored file."""
    storage = storages["sets"]
    name = f"{digest[:2]}/{digest}"
    with storage.open(name) as file:
        content = file.read()
    storage.delete(name)
    spoiled = {"empty": b"", "short": content[:-1], "no set": b"x" * len(content)}
    if how in spoiled:
        with open(storage.path(name), "wb") as file:  # noqa: PTH123
            file.write(spoiled[how])
