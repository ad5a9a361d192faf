"""policy list, show, add, configure, test, remove, update."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from policies.models import Change, Policy, PolicySource, PolicyTest, Snapshot, Source
from policies.services.manage_policies import POLICY_COLUMNS
from policies.states import PolicyState, Role
from tests.factories import hold, make_device, make_policy, make_source, publish
from tests.tsadmin.conftest import Appliance, Tsadmin
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db


@pytest.fixture
def edge(now: datetime) -> Policy:
    """A published policy that blocks two entries and allows one."""
    policy = make_policy(
        now=now, name="edge", block=["5.6.0.0/24", "5.7.0.0/24"], allow=["5.8.0.1"]
    )
    publish(policy, now=timezone.now())
    return policy


@pytest.fixture
def feed(now: datetime) -> Source:
    """A source that no policy takes."""
    return make_source(entries=["5.9.0.0/24"], now=now, name="feed")


def _taken(name: str = "edge") -> set[tuple[str, str, int]]:
    rows = PolicySource.objects.filter(policy__name=name)
    return set(rows.values_list("source__name", "role", "priority"))


def _tests() -> set[tuple[str, str, str]]:
    return set(PolicyTest.objects.values_list("network", "expect", "note"))


def _state() -> list[object]:
    """Everything that a refused command must leave as it was."""
    policies = Policy.objects.order_by("id").values_list("name", "widest4", "max_share", "due_at")
    changes = Change.objects.count()
    return [*policies, *sorted(_taken()), *sorted(_tests()), changes, Snapshot.objects.count()]


def test_a_policy_is_added_with_its_sources_and_settings(
    tsadmin: Tsadmin, now: datetime, feed: Source
) -> None:
    make_source(entries=["5.9.0.1"], now=now, name="partners")
    make_source(entries=["5.9.0.2"], now=now, name="https://lists.example:443")
    answer = tsadmin(
        "policy", "add", "edge", "--block", "feed:10", "--block", "https://lists.example:443",
        "--allow", "partners", "--set", "widest4=12", "--set", "max_share=2.5",
        "--set", "keep_special=yes", "--set", "protect_critical:=true", "--set", "merge_to4=24",
        "--set", 'critical_except:=["public resolvers"]', "--set", "stale_entries=drop",
        "--set", "note=for the border",
    )  # fmt: skip
    assert (answer.code, answer.stdout) == (0, "Added edge.\n"), answer.stderr
    assert "tsadmin policy update edge" in answer.stderr
    policy = Policy.objects.get()
    assert _taken() == {
        ("feed", Role.BLOCK, 10),
        ("https://lists.example:443", Role.BLOCK, 100),
        ("partners", Role.ALLOW, 100),
    }
    assert (policy.widest4, str(policy.max_share), policy.merge_to4) == (12, "2.50", 24)
    assert (policy.keep_special, policy.protect_critical) == (True, True)
    assert (policy.critical_except, policy.stale_entries) == (["public resolvers"], "drop")
    assert policy.note == "for the border"
    assert policy.due_at is not None
    assert Change.objects.get().actor.startswith("tsadmin:")
    assert feed in policy.sources.all()


def test_what_is_added_is_told_to_programs(tsadmin: Tsadmin, feed: Source) -> None:
    answer = tsadmin("policy", "add", "edge", "--block", "feed:7", "--json")
    assert (answer.code, answer.stderr) == (0, "")
    assert (answer.json["name"], answer.json["state"]) == ("edge", "new")
    assert answer.json["sources"] == [
        {"source": feed.pk, "name": "feed", "role": "block", "priority": 7}
    ]
    assert (answer.json["tests"], answer.json["devices"], answer.json["current"]) == ([], [], None)


def test_the_policies_are_listed_with_what_is_in_force(
    tsadmin: Tsadmin, now: datetime, edge: Policy
) -> None:
    make_device(policy=edge, now=now, nickname="fmc-1")
    make_device(policy=edge, now=now, nickname="fmc-2")
    make_policy(now=now, name="fmc-3", is_private=True, block=[])
    rows = tsadmin("policy", "list", "--json").json["policies"]
    assert [(one["name"], one["is_private"], one["state"]) for one in rows] == [
        ("edge", False, "current"),
        ("fmc-3", True, "new"),
    ]
    assert [(one["sources"], one["devices"], one["snapshot"], one["entries"]) for one in rows] == [
        (2, 2, 1, 3),
        (0, 0, None, None),
    ]
    titles, *lines = tsadmin("policy", "list").stdout.splitlines()
    assert titles.split() == ["Policy", "For", "State", "Snapshot", "Entries", "Sources", "Devices"]
    assert lines[0].split() == ["edge", "sharing", "current", "1", "3", "2", "2"]
    assert lines[1].split()[:3] == ["fmc-3", "one", "device"]
    assert lines[1].split()[-3:] == ["none", "0", "0"]


def test_where_there_is_none_the_list_says_how_to_add_one(tsadmin: Tsadmin) -> None:
    answer = tsadmin("policy", "list")
    assert (answer.code, answer.stdout) == (0, "")
    assert "tsadmin policy add" in answer.stderr


def test_a_policy_is_shown_whole(tsadmin: Tsadmin, now: datetime, edge: Policy) -> None:
    make_device(policy=edge, now=now, nickname="fmc-1")
    tsadmin("policy", "test", "edge", "--must-block", "5.6.0.7", "--note", "INC-7")
    tsadmin("policy", "test", "edge", "--never-block", "5.7.0.0/25")
    answer = tsadmin("policy", "show", "edge")
    lines = answer.stdout.splitlines()
    facts = {label.strip(): value for label, _, value in (one.partition(" : ") for one in lines)}
    assert facts["State"] == "current"
    assert facts["Snapshot"].startswith("1 of 20")
    assert facts["Snapshot"].endswith("block 2 entries, allow 1 entry")
    assert (facts["Devices"], facts["widest4"], facts["max_share"]) == ("fmc-1", "8", "5.00")
    assert (facts["protect_critical"], facts["merge_to4"]) == ("yes", "nothing")
    block = edge.sources.get(policy_sources__role=Role.BLOCK)
    assert any(one.startswith(f"{block.name}  block  100") for one in lines)
    assert any("5.6.0.7" in one and "INC-7" in one and "holds" in one for one in lines)
    assert any("fails" in one and "5.7.0.0/25 would be blocked" in one for one in lines)
    told = tsadmin("policy", "show", "edge", "--json").json
    assert [(one["network"], one["is_passed"]) for one in told["tests"]] == [
        ("5.6.0.7", True),
        ("5.7.0.0/25", False),
    ]
    assert (told["devices"], told["current"]["number"]) == (["fmc-1"], 1)


def test_a_policy_is_named_by_itself_and_not_by_a_device(
    tsadmin: Tsadmin, now: datetime, edge: Policy
) -> None:
    other = make_policy(now=now, name="fmc-1")
    make_device(policy=edge, now=now, nickname="fmc-1")
    assert tsadmin("policy", "show", "fmc-1", "--json").json["id"] == other.pk


def test_sources_are_taken_moved_and_dropped_and_the_others_stay(
    tsadmin: Tsadmin, now: datetime, feed: Source, edge: Policy
) -> None:
    block, allow = (edge.sources.get(policy_sources__role=role).name for role in Role.values)
    taken = tsadmin("policy", "configure", "edge", "--block", "feed:5")
    assert (taken.code, taken.stdout) == (0, "Changed edge.\n"), taken.stderr
    assert _taken() == {("feed", "block", 5), (block, "block", 100), (allow, "allow", 100)}
    moved = tsadmin("policy", "configure", "edge", "--allow", "feed", "--block", f"{block}:9")
    assert moved.code == 0, moved.stderr
    assert _taken() == {("feed", "allow", 5), (block, "block", 9), (allow, "allow", 100)}
    dropped = tsadmin("policy", "configure", "edge", "--drop-source", allow, "--json")
    assert {one["name"] for one in dropped.json["sources"]} == {"feed", block}
    assert feed.name in {one["name"] for one in dropped.json["sources"]}


def test_settings_are_changed_and_emptied_and_the_others_stay(
    tsadmin: Tsadmin, edge: Policy
) -> None:
    tsadmin("policy", "configure", "edge", "--set", "keep_days=30", "--set", "widest4=9")
    given = ("--set", "keep_days=", "--set", "protect_critical=no", "--set", "name=border")
    answer = tsadmin("policy", "configure", "edge", *given)
    assert (answer.code, answer.stdout) == (0, "Changed border.\n"), answer.stderr
    edge.refresh_from_db()
    assert (edge.name, edge.keep_days, edge.widest4) == ("border", None, 9)
    assert edge.protect_critical is False
    assert len(_taken("border")) == 2


def test_tests_are_added_and_forgotten_however_they_are_spelt(
    tsadmin: Tsadmin, edge: Policy
) -> None:
    added = tsadmin(
        "policy", "test", "edge", "--must-block", "5.6.0.0-5.6.0.127", "--must-block", "5.7.0.1",
        "--never-block", "8.8.8.8", "--note", "INC-1",
    )  # fmt: skip
    assert added.code == 0, added.stderr
    assert _tests() == {
        ("5.6.0.0/25", "blocked", "INC-1"),
        ("5.7.0.1", "blocked", "INC-1"),
        ("8.8.8.8", "not-blocked", "INC-1"),
    }
    assert [line.split()[0] for line in added.stdout.splitlines()[1:]] == [
        "5.6.0.0/25", "5.7.0.1", "8.8.8.8"
    ]  # fmt: skip
    turned = tsadmin(
        "policy", "test", "edge", "--forget", "5.7.0.1/32", "--never-block", "5.7.0.1", "--json"
    )
    found = {one["network"]: (one["expect"], one["is_passed"]) for one in turned.json["tests"]}
    assert found["5.7.0.1"] == ("not-blocked", False)
    assert len(found) == 3
    edge.refresh_from_db()
    assert edge.sources.count() == 2


def test_without_flags_the_tests_are_told_and_nothing_is_changed(
    tsadmin: Tsadmin, edge: Policy
) -> None:
    before = _state()
    answer = tsadmin("policy", "test", edge.name)
    assert (answer.code, answer.stdout) == (0, "")
    assert "edge has no tests" in answer.stderr
    assert _state() == before


def test_before_the_first_snapshot_nothing_is_tried(tsadmin: Tsadmin, now: datetime) -> None:
    make_policy(now=now, name="new")
    answer = tsadmin("policy", "test", "new", "--must-block", "1.2.3.4", "--json")
    assert answer.json["tests"][0]["is_passed"] is None
    assert "not tried" in tsadmin("policy", "test", "new").stdout


def test_a_list_in_force_that_is_lost_is_told_and_hides_nothing_else(
    tsadmin: Tsadmin, edge: Policy
) -> None:
    tsadmin("policy", "test", "edge", "--must-block", "5.6.0.1")
    assert edge.current is not None
    digest = edge.current.block_digest
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    answer = tsadmin("policy", "show", "edge", "--json")
    assert answer.code == 0, answer.stderr
    assert answer.json["tests"][0]["is_passed"] is None
    assert "cannot be read" in answer.json["tests"][0]["detail"]


def test_a_policy_is_removed_with_yes_only_where_nobody_can_be_asked(
    tsadmin: Tsadmin, edge: Policy
) -> None:
    refused = tsadmin("policy", "remove", edge.name)
    assert (refused.code, "add --yes to remove edge" in refused.error) == (2, True)
    assert Policy.objects.exists()
    assert tsadmin("policy", "remove", "edge", "--yes", "--json").json == {"removed": "edge"}
    assert (Policy.objects.count(), Source.objects.count()) == (0, 2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("typed", "code"), [("n", 1), ("y", 0)])
def test_at_a_terminal_it_is_asked_before_a_policy_goes(
    appliance: Appliance, typed: str, code: int
) -> None:
    assert appliance.run("policy", "add", "edge").code == 0
    with appliance.at_terminal("policy", "remove", "edge") as terminal:
        terminal.expect("Remove edge? Its snapshots go with it. (y or n) [default n]")
        terminal.type(typed)
        assert terminal.finish() == code
    left = appliance.run("policy", "list", "--json").json["policies"]
    assert bool(left) == bool(code)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("show", "nobody"), 1, "no policy is named nobody; there are: edge, fmc-1"),
        (("add", "edge"), 1, "name: Policy with this Name already exists"),
        (("add", "two words"), 1, "name: Use 1 to 64 letters"),
        (("add", "new", "--block", "nobody"), 1, "no source is named nobody; there are: "),
        (("add", "new", "--block", "feed:0"), 1, "priority of feed must be from 1 to 1000"),
        (("add", "new", "--block", "feed:99999999999"), 1, "priority of feed must be from 1"),
        (("add", "new", "--block", "feed:x"), 1, "no source is named feed:x"),
        (("add", "new", "--block", "feed", "--allow", "feed:2"), 2, "feed is named twice"),
        (("add", "new", "--set", "name=other"), 2, "the policy is named new already"),
        (("add", "new", "--set", "colour=red"), 2, "colour cannot be set; these can: name"),
        (("add", "new", "--set", "is_private=yes"), 2, "is_private cannot be set"),
        (("add", "new", "--set", "widest4"), 2, "--set takes NAME=VALUE"),
        (("configure", "nobody", "--set", "note=x"), 1, "no policy is named nobody"),
        (("configure", "edge"), 2, "nothing to change: name a flag"),
        (("configure", "edge", "--set", "widest4=33"), 1, "widest4: Ensure this value is less"),
        (("configure", "edge", "--set", "widest4=much"), 1, "widest4: "),
        (("configure", "edge", "--set", "widest4="), 1, "widest4: "),
        (("configure", "edge", "--set", "max_share:=[1]"), 1, "max_share: "),
        (("configure", "edge", "--set", "keep_special=maybe"), 2, "keep_special takes yes or no"),
        (("configure", "edge", "--set", "stale_entries=x"), 1, "stale_entries: "),
        (("configure", "edge", "--set", "critical_except=x"), 1, "critical_except: use names of"),
        (("configure", "edge", "--set", "empty_list_address=9.9.9.9"), 1, "documentation address"),
        (("configure", "edge", "--drop-source", "feed"), 1, "edge does not take feed"),
        (("configure", "edge", "--drop-source", "feed", "--set", "widest4=9"), 1, "not take feed"),
        (("configure", "edge", "--block", "feed", "--set", "widest4=40"), 1, "widest4: "),
        (("configure", "edge", "--allow", "blocks"), 1, "a policy cannot take it to allow"),
        (("configure", "fmc-1", "--block", "feed"), 1, "policy fmc-1 belongs to one device"),
        (("test", "nobody"), 1, "no policy is named nobody"),
        (("test", "edge", "--note", "x"), 2, "--note comes with --must-block or --never-block"),
        (("test", "edge", "--must-block", "host"), 1, "host"),
        (("test", "edge", "--must-block", "5.6.0.1/24"), 1, "bits below its prefix length"),
        (("test", "edge", "--must-block", "8.8.8.8"), 1, "8.8.8.8 is tested twice"),
        (("test", "edge", "--forget", "host"), 1, "nothing was changed"),
        (("test", "edge", "--forget", "8.8.8.9", "--must-block", "5.6.0.1"), 1, "no test of 8.8."),
        (("test", "edge", "--must-block", "5.6.0.1", "--note", "x" * 201), 1, "up to 200 char"),
        (("remove", "nobody", "--yes"), 1, "no policy is named nobody"),
        (("remove", "edge", "--yes"), 1, "policy edge is followed by fmc-2"),
        (("update", "nobody"), 1, "no policy is named nobody"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_and_changes_nothing(
    tsadmin: Tsadmin,
    now: datetime,
    feed: Source,
    edge: Policy,
    arguments: tuple[str, ...],
    code: int,
    reason: str,
) -> None:
    assert tsadmin("records", "create", "blocks", "--for", "block").code == 0
    make_policy(now=now, name="fmc-1", is_private=True, block=[])
    make_device(policy=edge, now=now, nickname="fmc-2")
    edge.tests.create(network="8.8.8.8", expect="not-blocked")
    before = _state()
    answer = tsadmin("policy", *arguments)
    assert (answer.code, reason in answer.error) == (code, True), answer.error
    assert answer.stdout == ""
    assert _state() == before
    assert feed.policies.count() == 0


def test_a_shared_policy_is_updated_now_and_told(tsadmin: Tsadmin, now: datetime) -> None:
    make_policy(now=now, name="edge", block=["5.6.0.0/24"], allow=["5.6.0.0/25"])
    answer = tsadmin("policy", "update", "edge")
    assert answer.code == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert "Policy edge: current." in lines
    assert lines[-2] == "Snapshot 1: block 1 entry, allow 1 entry; addresses blocked +128 -0."
    assert lines[-1] == "Taken out of the block list (addresses): allowed 128."
    assert answer.stderr.splitlines()[-1] == "compile edge …"
    again = tsadmin("policy", "update", "edge", "--json")
    assert (again.code, again.stderr) == (0, "")
    assert (again.json["policy"], again.json["is_new_snapshot"]) == ("edge", False)
    assert again.json["snapshot"]["number"] == 1


def test_what_the_guard_holds_waits_until_the_change_is_accepted(tsadmin: Tsadmin) -> None:
    policy = hold(now=timezone.now() - timedelta(hours=2))
    held = tsadmin("policy", "update", policy.name)
    assert (held.code, "held by the guard" in held.error) == (1, True)
    accepted = tsadmin("policy", "update", policy.name, "--accept-change")
    assert accepted.code == 0, accepted.stderr
    policy.refresh_from_db()
    assert policy.state == PolicyState.CURRENT
    assert Change.objects.get(verb="accept").actor.startswith("tsadmin:")


def test_a_device_too_small_for_the_policy_is_told(tsadmin: Tsadmin, edge: Policy) -> None:
    make_device(policy=edge, now=timezone.now(), nickname="small", max_policy_size="1")
    make_device(policy=edge, now=timezone.now(), nickname="large", max_policy_size="100")
    answer = tsadmin("policy", "update", "edge")
    assert (answer.code, "has 3 entries and small takes 1" in answer.error) == (1, True)
    assert "large" not in answer.error


def test_a_policy_whose_devices_have_updates_off_is_not_updated(
    tsadmin: Tsadmin, now: datetime
) -> None:
    policy = make_policy(now=now, name="edge", is_paused=True)
    answer = tsadmin("policy", "update", "edge")
    assert "every device that follows edge has policy updates off" in answer.error
    assert "--policy_updates yes" in answer.error
    policy.refresh_from_db()
    assert policy.current is None


def test_every_setting_that_a_person_may_change_is_documented() -> None:
    page = PAGE.read_text(encoding="utf-8")
    chapter = page.partition("\n## policy configure\n")[2].partition("\n## ")[0]
    assert [name for name in POLICY_COLUMNS if f"`{name}`" not in chapter] == []


def test_every_key_of_every_json_answer_is_documented(tsadmin: Tsadmin) -> None:
    policy = hold(now=timezone.now() - timedelta(hours=2))
    tsadmin("policy", "test", policy.name, "--must-block", "5.0.0.1")
    shown = tsadmin("policy", "show", policy.name, "--json").json
    answers = (
        shown,
        *(shown["sources"][0], shown["tests"][0], shown["current"], shown["candidate"]),
        tsadmin("policy", "list", "--json").json,
        tsadmin("policy", "list", "--json").json["policies"][0],
        tsadmin("policy", "test", policy.name, "--json").json,
        tsadmin("policy", "update", policy.name, "--json").json,
        tsadmin("policy", "remove", policy.name, "--yes", "--json").json,
    )
    page = PAGE.read_text(encoding="utf-8")
    assert not {key for answer in answers for key in answer if f"`{key}`" not in page}
