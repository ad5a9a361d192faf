"""The safe order of an apply, with a kernel in memory."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enforcement.kernel import ENFORCERS, enforcer_named
from enforcement.kernel.apply import Ending, plan_target, release
from enforcement.kernel.base import Content, Plan, Rules, Target, Verdict, Way
from enforcement.kernel.errors import (
    EnforceRefused,
    EnforceUnavailable,
    KernelDiffers,
)
from enforcement.kernel.host import NoCanaries
from enforcement.kernel.state import StateFolder
from netsets.cidr import AddressSet
from tests.enforcement.kernel.pretended import Neighbours, Pretended, content_of

UNTIL = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> Pretended:
    return Pretended(tmp_path / "enforcer")


@pytest.fixture
def first(site: Pretended) -> Target:
    """A target in force."""
    target = site.store.target("192.0.2.0/24", "2001:db8::/64", allow=("192.0.2.1",))
    assert site.enforce(target).ending == Ending.APPLIED
    return target


def breaks_when_blocked(site: Pretended, address: str) -> Neighbours:
    """Return canaries of which one is cut off while an address is in the block list."""

    def cut_off() -> frozenset[str]:
        content = site.kernel.content
        return frozenset({"gateway"} if content and address in content.block else ())

    return Neighbours(frozenset({"gateway", "resolver"}), cut_off)


def test_a_first_apply_puts_everything_in_force(site: Pretended) -> None:
    target = site.store.target("192.0.2.0/24", "198.51.100.7", allow=("192.0.2.1",))
    outcome = site.enforce(target)
    assert (outcome.ending, outcome.way, outcome.added) == (Ending.APPLIED, Way.REPLACE, 2)
    assert outcome.in_force == target
    assert outcome.sets["TSblockaddr"].entries == outcome.sets["TSblocknet"].entries == 1
    assert site.holds(target)


def test_a_plan_is_what_an_apply_then_does(site: Pretended, first: Target) -> None:
    second = site.store.target("192.0.2.0/24", "198.51.100.7")
    plan = plan_target(host=site.host, target=second, stored=site.store)
    assert site.holds(first)
    outcome = site.enforce(second)
    assert (plan.way, plan.added, plan.removed) == (Way.DIFFERENCE, 1, 1)
    assert (outcome.way, outcome.added, outcome.removed) == (plan.way, plan.added, plan.removed)


def test_a_plan_before_anything_is_in_force_changes_nothing(site: Pretended) -> None:
    target = site.store.target("192.0.2.0/24")
    plan = plan_target(host=site.host, target=target, stored=site.store)
    assert (plan.way, plan.added) == (Way.REPLACE, 1)
    assert site.holds(None)
    assert site.kernel.done == []


def test_the_same_again_changes_nothing_but_its_name(site: Pretended, first: Target) -> None:
    site.kernel.done.clear()
    again = replace(first, label="edge #2", snapshot=2)
    assert site.enforce(again).ending == Ending.UNCHANGED
    assert "apply" not in site.kernel.done
    assert "write_rules" not in site.kernel.done
    assert site.holds(again)


def test_a_change_of_the_rules_alone_is_an_apply(site: Pretended, first: Target) -> None:
    reject = replace(first, rules=Rules(Verdict.REJECT))
    outcome = site.enforce(reject)
    assert (outcome.ending, outcome.way) == (Ending.APPLIED, Way.NOTHING)
    assert site.holds(reject)


def test_a_lost_canary_brings_back_what_was_and_says_so(site: Pretended, first: Target) -> None:
    site.canaries = breaks_when_blocked(site, "203.0.113.1")
    bad = site.store.target("203.0.113.0/24", rules=Rules(Verdict.REJECT))
    outcome = site.enforce(bad)
    assert (outcome.ending, outcome.lost) == (Ending.ROLLED_BACK, ("gateway",))
    assert outcome.in_force == first
    assert site.holds(first)
    assert not site.cuts[1:]


def test_a_switch_back_that_fails_is_done_by_reading_and_healing(
    site: Pretended, first: Target
) -> None:
    site.canaries = breaks_when_blocked(site, "203.0.113.1")
    site.kernel.fault = ("revert", EnforceUnavailable("another program lists a set"))
    assert site.enforce(site.store.target("203.0.113.0/24")).ending == Ending.ROLLED_BACK
    assert site.holds(first)


def test_a_new_list_that_cannot_be_taken_back_is_told_to_be_in_force(
    site: Pretended, first: Target
) -> None:
    class Stuck(type(site.kernel)):  # type: ignore[misc]
        def revert(self, plan: Plan) -> None:
            raise EnforceUnavailable("another program lists a set")

        def plan(self, current: Content | None, wanted: Content, rules: Rules) -> Plan:
            if wanted.block == AddressSet.of("192.0.2.0/24", "2001:db8::/64"):
                raise EnforceUnavailable("the kernel does not answer")
            return super().plan(current, wanted, rules)  # type: ignore[no-any-return]

    whole = site.kernel.__class__
    site.kernel.__class__ = Stuck
    site.canaries = breaks_when_blocked(site, "203.0.113.1")
    with pytest.raises(EnforceUnavailable, match=r"does not answer\. So edge #1 is still in force"):
        site.enforce(site.store.target("203.0.113.0/24"))
    assert site.folder.has_journal()
    site.kernel.__class__ = whole
    site.enforce(first)
    assert site.holds(first)


def test_a_lost_canary_at_the_first_apply_leaves_nothing(site: Pretended) -> None:
    site.canaries = breaks_when_blocked(site, "203.0.113.1")
    outcome = site.enforce(site.store.target("203.0.113.0/24"))
    assert (outcome.ending, outcome.in_force) == (Ending.ROLLED_BACK, None)
    assert site.holds(None)


def test_a_canary_that_did_not_answer_before_holds_up_nothing(
    site: Pretended, first: Target
) -> None:
    site.canaries = Neighbours(frozenset({"gateway"}), lambda: frozenset({"gateway"}))
    second = site.store.target("203.0.113.0/24")
    assert site.enforce(second).ending == Ending.APPLIED


def test_the_undo_is_on_disk_before_the_deed(site: Pretended, first: Target) -> None:
    second = site.store.target("203.0.113.0/24")
    seen: list[object] = []

    class Looking(type(site.kernel)):  # type: ignore[misc]
        def apply(self, plan: Plan) -> None:
            seen.append(site.folder.journal())
            super().apply(plan)

    site.kernel.__class__ = Looking
    site.enforce(second)
    assert [(one.before, one.after) for one in seen] == [(first, second)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("deed", ["apply", "write_rules"])
@pytest.mark.parametrize("error", [EnforceUnavailable("no answer"), OSError("of a canary")])
def test_an_error_in_the_middle_leaves_what_was_in_force(
    site: Pretended, first: Target, deed: str, error: Exception
) -> None:
    site.kernel.fault = (deed, error)
    with pytest.raises(type(error), match=str(error)):
        site.enforce(site.store.target("203.0.113.0/24", rules=Rules(Verdict.REJECT)))
    assert site.holds(first)


def test_a_first_apply_that_fails_leaves_nothing(site: Pretended) -> None:
    site.kernel.fault = ("apply", EnforceUnavailable("no answer"))
    with pytest.raises(EnforceUnavailable):
        site.enforce(site.store.target("203.0.113.0/24"))
    assert site.holds(None)


def test_what_the_kernel_cannot_hold_is_refused_with_the_rules_in_place(
    site: Pretended, first: Target
) -> None:
    class Small(type(site.kernel)):  # type: ignore[misc]
        def plan(self, *_: object) -> Plan:
            raise EnforceRefused("too large")

    site.kernel.__class__ = Small
    site.kernel.remove()  # by somebody else
    target = site.store.target("203.0.113.0/24", rules=Rules(Verdict.REJECT))
    with pytest.raises(EnforceRefused, match="too large"):
        plan_target(host=site.host, target=target, stored=site.store)
    assert site.kernel.states() == {}
    with pytest.raises(EnforceRefused, match="too large"):
        site.enforce(target)
    assert site.kernel.rules == first.rules
    assert not site.folder.has_journal()
    named = {first.block_digest, first.allow_digest}
    assert {path.name for path in (site.path / "sets").iterdir()} == named


def test_a_kernel_that_does_not_hold_what_was_written_is_put_back(
    site: Pretended, first: Target
) -> None:
    class Forgetful(type(site.kernel)):  # type: ignore[misc]
        def apply(self, plan: Plan) -> None:
            super().apply(plan)
            if plan.wanted.block == AddressSet.of("203.0.113.0/24"):
                self.content = content_of("203.0.113.0/25")

    site.kernel.__class__ = Forgetful
    with pytest.raises(KernelDiffers, match=r"TSblocknet 1.*written was .*which other program"):
        site.enforce(site.store.target("203.0.113.0/24"))
    assert site.holds(first)


def test_what_somebody_changed_to_the_same_count_is_found_after_the_switch(
    site: Pretended, first: Target
) -> None:
    class ByDifference(type(site.kernel)):  # type: ignore[misc]
        def apply(self, plan: Plan) -> None:
            if self.content and plan.current and self.content.block != plan.current.block:
                raise EnforceRefused("an entry that goes is not there")
            super().apply(plan)

    site.kernel.__class__ = ByDifference
    site.kernel.content = content_of("198.51.100.0/24", "2001:db8::/64", allow=("192.0.2.1",))
    second = site.store.target("203.0.113.0/24")
    assert site.enforce(second).ending == Ending.APPLIED
    assert site.holds(second)


def test_a_full_disk_changes_nothing(
    site: Pretended, first: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = site.store.target("203.0.113.0/24")
    left = 0

    def fsync(handle: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for room in range(8):
        left = room
        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", fsync)
            with pytest.raises(EnforceUnavailable, match="No space left on device"):
                site.enforce(second)
        assert site.enforce(first).in_force == first  # with room again
        assert site.holds(first)
    assert site.enforce(second).ending == Ending.APPLIED


def test_only_what_is_newly_dropped_is_cut(site: Pretended, first: Target) -> None:
    second = site.store.target(
        "192.0.2.0/24", "198.51.100.0/24", "2001:db8::/64", allow=("198.51.100.9",)
    )
    outcome = site.enforce(second)
    assert outcome.cut == 3
    newly, allowed = site.cuts[-1]
    assert newly == AddressSet.of("192.0.2.1", "198.51.100.0/24") - AddressSet.of("198.51.100.9")
    assert allowed == AddressSet.of("198.51.100.9")


def test_nothing_is_cut_while_paused_and_all_when_the_pause_is_over(
    site: Pretended, first: Target
) -> None:
    site.cuts.clear()
    site.enforce(replace(first, rules=Rules(paused_until=UNTIL)))
    assert site.cuts == []
    assert site.enforce(first).cut == 3
    assert site.cuts[0][0] == AddressSet.of("192.0.2.0/24", "2001:db8::/64") - AddressSet.of(
        "192.0.2.1"
    )


def test_connections_that_could_not_be_cut_are_told_and_the_list_is_in_force(
    site: Pretended, first: Target
) -> None:
    site.cut_fault = EnforceUnavailable("conntrack is not there")
    second = site.store.target("203.0.113.0/24")
    outcome = site.enforce(second)
    assert (outcome.ending, outcome.cut) == (Ending.APPLIED, 0)
    assert "not cut: conntrack is not there" in outcome.warnings[0]
    assert site.holds(second)


def test_connections_are_cut_although_what_was_kept_aside_cannot_be_let_go(
    site: Pretended, first: Target
) -> None:
    site.cuts.clear()
    site.kernel.fault = ("settle", EnforceUnavailable("another program lists a set"))
    second = site.store.target("203.0.113.0/24")
    with pytest.raises(EnforceUnavailable, match="lists a set"):
        site.enforce(second)
    assert [newly for newly, _ in site.cuts] == [AddressSet.of("203.0.113.0/24")]
    assert site.enforce(second).in_force == second
    assert site.holds(second)


def test_another_enforcer_takes_over_without_a_gap(site: Pretended, first: Target) -> None:
    other = replace(first, enforcer="other")
    outcome = site.enforce(other)
    assert outcome.ending == Ending.APPLIED
    assert site.cuts[1:] == []
    assert site.holds(other)
    assert site.kernel.done[-1] == "remove"


def test_another_enforcer_that_fails_leaves_the_one_in_force(
    site: Pretended, first: Target
) -> None:
    site.canaries = Neighbours(
        frozenset({"gateway"}),
        lambda: frozenset({"gateway"} if site.kernels["other"].content else ()),
    )
    site.kernels["other"].fault = ("apply", EnforceUnavailable("no answer"))
    other = replace(first, enforcer="other")
    with pytest.raises(EnforceUnavailable):
        site.enforce(other)
    assert site.holds(first)


def test_without_a_state_what_the_kernel_holds_is_what_to_go_back_to(
    site: Pretended, first: Target
) -> None:
    (site.path / "state.json").unlink()
    site.canaries = breaks_when_blocked(site, "203.0.113.1")
    outcome = site.enforce(site.store.target("203.0.113.0/24"))
    assert outcome.ending == Ending.ROLLED_BACK
    assert outcome.in_force is not None
    assert outcome.in_force.label == "found in the kernel"
    assert outcome.in_force.block_digest == first.block_digest
    assert site.holds(outcome.in_force)


def test_a_damaged_state_is_told_and_written_anew(site: Pretended, first: Target) -> None:
    (site.path / "state.json").write_text("damaged")
    outcome = site.enforce(first)
    assert "state.json is damaged" in outcome.healed[0]
    assert site.holds(first)


def test_a_release_leaves_nothing_and_nothing_to_restore(site: Pretended, first: Target) -> None:
    release(host=site.host, enforcer="memory")
    release(host=site.host, enforcer="memory")
    assert site.holds(None)
    assert site.folder.previous() is None
    assert not list((site.path / "sets").iterdir())


def test_a_release_does_not_need_a_whole_state(site: Pretended, first: Target) -> None:
    (site.path / "state.json").write_text("damaged")
    release(host=site.host, enforcer="memory")
    assert site.holds(None)


def test_two_at_once_wait_for_each_other(site: Pretended, first: Target) -> None:
    with (
        StateFolder(site.path).locked("an apply"),
        pytest.raises(EnforceUnavailable, match="held by an apply, process"),
    ):
        site.enforce(first, wait=0.1)


def test_every_enforcer_has_the_name_that_it_is_chosen_by() -> None:
    assert enforcer_named("memory") is enforcer_named("memory")
    assert ENFORCERS["memory"][0] == "Memory, for trying"
    with pytest.raises(EnforceRefused, match="no enforcer is named 'pf': choose"):
        enforcer_named("pf")


def test_nobody_is_missed_where_nobody_is_named() -> None:
    assert NoCanaries().answering() == NoCanaries().lost(frozenset({"gateway"})) == frozenset()
