"""What a kill leaves is the old list or the new one, and the next start makes all of it agree."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from enforcement.kernel.apply import Ending, release
from enforcement.kernel.base import Rules, Target, Verdict, Way
from enforcement.kernel.errors import EnforceError, EnforceUnavailable, KernelDiffers, StateDamaged
from enforcement.kernel.records import Journal, State, Step
from enforcement.kernel.verify import verify
from netsets.cidr import AddressSet
from tests.enforcement.kernel.kills import killed_at
from tests.enforcement.kernel.pretended import Neighbours, Pretended, content_of

# A kill may hit between the opening of a file and the block that closes it.
pytestmark = [
    pytest.mark.timeout(180),  # some hundred applies each
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def no_fsync() -> Iterator[None]:
    """What a killed process wrote stays; only a power cut asks for more, and takes its time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda handle: None)
        yield


@pytest.fixture
def site(tmp_path: Path) -> Pretended:
    return Pretended(tmp_path / "enforcer")


def two(site: Pretended) -> tuple[Target, Target]:
    """Return a target in force and one to come, that differ in lists and rules."""
    first = site.store.target("192.0.2.0/24", allow=("192.0.2.1",))
    second = site.store.target("203.0.113.0/24", rules=Rules(Verdict.REJECT), label="edge #2")
    assert site.enforce(first).ending == Ending.APPLIED
    return first, second


def check(site: Pretended) -> tuple[str, ...]:
    return verify(host=site.host, now=NOW, canaries=site.canaries).healed


def enforcing(site: Pretended, target: Target) -> Callable[[], object]:
    return lambda: site.enforce(target)


def fresh_sites(tmp_path: Path) -> Iterator[tuple[int, Pretended]]:
    """Yield a number and a site of its own for each line that a run may be killed at."""
    for number in range(1, 2000):
        yield number, Pretended(tmp_path / str(number))


def test_a_kill_at_any_line_of_an_apply_leaves_old_or_new_and_is_recovered(
    tmp_path: Path,
) -> None:
    left = {"old": 0, "new": 0}
    for number, site in fresh_sites(tmp_path):
        first, second = two(site)
        lists = {(one.block_digest, one.allow_digest) for one in (first, second)}
        if not killed_at(number, enforcing(site, second)):
            break
        assert site.kernel.content is not None
        assert site.kernel.content.digests() in lists
        assert site.kernel.rules in {first.rules, second.rules}
        check(site)
        assert site.holds(first) or site.holds(second)
        left["old" if site.holds(first) else "new"] += 1
        assert check(site) == ()
        site.enforce(second)
        assert site.holds(second)
    assert min(left.values()) > 20, left


def test_a_kill_at_any_line_of_a_first_apply_leaves_nothing_or_the_list_and_no_damage(
    tmp_path: Path,
) -> None:
    left = {"nothing": 0, "list": 0}
    for number, site in fresh_sites(tmp_path):
        first = site.store.target("192.0.2.0/24")
        if not killed_at(number, enforcing(site, first)):
            break
        assert all("missing" not in said for said in check(site))
        assert site.holds(first) or site.holds(None)
        left["list" if site.holds(first) else "nothing"] += 1
        site.enforce(first)
        assert site.holds(first)
    assert min(left.values()) > 20, left


def test_a_kill_at_any_line_of_a_rollback_ends_with_the_old_list(tmp_path: Path) -> None:
    for number, site in fresh_sites(tmp_path):
        first, second = two(site)

        def cut_off(site: Pretended = site) -> frozenset[str]:
            content = site.kernel.content
            return frozenset({"gateway"} if content and "203.0.113.1" in content.block else ())

        site.canaries = Neighbours(frozenset({"gateway"}), cut_off)
        if not killed_at(number, enforcing(site, second)):
            break
        check(site)
        assert site.holds(first)


def test_a_kill_at_any_line_of_a_recovery_is_recovered_again(tmp_path: Path) -> None:
    for number, site in fresh_sites(tmp_path):
        first, second = two(site)
        site.kernel.apply(site.kernel.plan(None, content_of("203.0.113.0/24"), second.rules))
        with site.folder.locked("the test"):
            site.folder.take(second, site.store)
            site.folder.write_journal(Journal(first, second, Way.REPLACE))
        if not killed_at(number, partial(check, site)):
            break
        check(site)
        assert site.holds(second)


def test_a_kill_at_any_line_of_a_release_is_finished(tmp_path: Path) -> None:
    for number, site in fresh_sites(tmp_path):
        first, _ = two(site)
        if not killed_at(number, partial(release, host=site.host, enforcer="memory")):
            break
        check(site)
        assert site.holds(first) or site.holds(None)
        release(host=site.host, enforcer="memory")
        assert site.holds(None)


def test_a_kill_at_any_line_of_a_change_of_enforcer_leaves_one_of_them_and_never_none(
    tmp_path: Path,
) -> None:
    for number, site in fresh_sites(tmp_path):
        first, _ = two(site)
        other = replace(first, enforcer="other")
        if not killed_at(number, enforcing(site, other)):
            break
        wanted = (first.block_digest, first.allow_digest)
        contents = [kernel.content for kernel in site.kernels.values()]
        assert wanted in [content.digests() for content in contents if content]
        site.enforce(other)
        assert site.holds(other)


def test_a_reboot_in_the_middle_of_an_apply_brings_back_what_was_in_force(
    site: Pretended,
) -> None:
    first, second = two(site)
    with site.folder.locked("the test"):
        site.folder.take(second, site.store)
        site.folder.write_journal(Journal(first, second, Way.REPLACE, step=Step.SWITCHED))
    site.kernel.remove()
    assert check(site) == ("an apply of edge #2 was cut short, and was undone",)
    assert site.holds(first)


def switched(site: Pretended, first: Target, second: Target) -> None:
    """Leave what a run leaves that is killed while it waits for its canaries."""
    with site.folder.locked("the test"):
        site.folder.take(second, site.store)
        answered = frozenset({"gateway"})
        journal = Journal(first, second, Way.REPLACE, answered, Step.SWITCHED)
        site.folder.write_journal(journal)
    site.kernel.apply(site.kernel.plan(None, site.folder.load(second), second.rules))
    site.kernel.write_rules(second.rules)


def test_what_was_not_confirmed_before_a_kill_is_confirmed_after_it(site: Pretended) -> None:
    first, second = two(site)
    switched(site, first, second)
    assert check(site) == ("an apply of edge #2 was cut short, and was finished",)
    assert site.holds(second)


def test_what_cuts_a_canary_off_is_undone_after_a_kill(site: Pretended) -> None:
    first, second = two(site)
    switched(site, first, second)
    site.canaries = Neighbours(frozenset({"gateway"}), lambda: frozenset({"gateway"}))
    assert check(site)[0].endswith("was undone: gateway did not confirm it")
    assert site.holds(first)


def test_what_nobody_can_confirm_is_undone(site: Pretended) -> None:
    first, second = two(site)
    switched(site, first, second)
    assert "gateway did not confirm it" in verify(host=site.host, now=NOW).healed[0]
    assert site.holds(first)


def test_a_damaged_journal_is_set_aside_and_the_state_decides(site: Pretended) -> None:
    first, second = two(site)
    switched(site, first, second)
    (site.path / "journal.json").write_bytes(b"\x00" * 40)
    healed = check(site)
    assert "journal.json is damaged" in healed[0]
    assert healed[0].endswith("set aside as journal.damaged.json")
    assert site.holds(first)
    site.enforce(second)
    assert site.holds(second)


def test_a_journal_whose_old_lists_are_lost_does_not_block_the_next_apply(
    site: Pretended,
) -> None:
    first, second = two(site)
    with site.folder.locked("the test"):
        site.folder.take(second, site.store)
        site.folder.write_journal(Journal(first, second, Way.REPLACE))
    (site.path / "sets" / first.block_digest).unlink()
    healed = site.enforce(second).healed
    assert "is lost" in healed[0]
    assert "the kernel stays as it is, and the journal was set aside" in healed[0]
    assert site.holds(second)


def test_a_foreign_flush_is_healed_and_told_with_what_it_was(site: Pretended) -> None:
    first, _ = two(site)
    site.kernel.content = content_of(allow=("192.0.2.1",))
    assert check(site) == ("TSblocknet held 0 of 1 entries",)
    assert site.holds(first)
    assert check(site) == ()


def test_a_foreign_destroy_is_healed_and_told(site: Pretended) -> None:
    first, _ = two(site)
    site.kernel.remove()
    healed = check(site)
    assert healed[0] == "the rules are not those meant"
    assert "TSblocknet was not there, with 1 entries" in healed
    assert site.holds(first)


def test_a_foreign_change_to_the_same_count_is_healed_and_told(site: Pretended) -> None:
    first, _ = two(site)
    site.kernel.content = content_of("198.51.100.0/24", allow=("192.0.2.1",))
    assert check(site) == ("the sets held 1 foreign entries, and 1 were missing",)
    assert site.holds(first)


def test_rules_that_do_not_stay_are_an_error_that_names_them(site: Pretended) -> None:
    two(site)

    class Reloading(type(site.kernel)):  # type: ignore[misc]
        def write_rules(self, rules: Rules) -> None:
            super().write_rules(Rules(log_limit="1/hour"))

    site.kernel.rules = None
    site.kernel.__class__ = Reloading
    with pytest.raises(KernelDiffers, match="the rules are not as written: the rules are not"):
        check(site)


def test_a_pause_ends_by_itself_and_is_no_fault(site: Pretended) -> None:
    paused = site.store.target("192.0.2.0/24", rules=Rules(paused_until=LATER))
    site.enforce(paused)
    assert verify(host=site.host, now=NOW).healed == ()
    assert site.holds(paused)
    assert verify(host=site.host, now=LATER).healed == ()
    assert site.holds(replace(paused, rules=Rules()))


def test_a_list_that_is_lost_on_disk_is_taken_from_the_kernel(site: Pretended) -> None:
    first, _ = two(site)
    (site.path / "sets" / first.block_digest).unlink()
    assert "is lost" in check(site)[0]
    assert check(site) == ()
    (site.path / "sets" / first.block_digest).unlink()
    site.kernel.content = content_of()
    with pytest.raises(StateDamaged, match="is lost: apply the list again"):
        check(site)
    assert site.kernel.content.block == AddressSet.empty()


def test_where_nothing_is_in_force_nothing_is_looked_at(site: Pretended) -> None:
    assert verify(host=site.host, now=NOW).target is None
    assert site.kernel.done == []


_targets = st.tuples(
    st.frozensets(st.sampled_from(["192.0.2.0/24", "198.51.100.7", "2001:db8::/64"])),
    st.sampled_from(["memory", "other"]),
    st.sampled_from(list(Verdict)),
)
_faults = st.sampled_from(["apply", "write_rules", "revert", "settle", "remove"])
_steps = st.one_of(
    st.tuples(st.just("enforce"), _targets, st.integers(1, 500), st.booleans()),
    st.tuples(st.just("check"), st.integers(1, 300)),
    st.tuples(st.just("fault"), _faults),
    st.tuples(st.just("flush")),
    st.tuples(st.just("reboot")),
)


@settings(max_examples=60)
@given(st.lists(_steps, min_size=1, max_size=6))
def test_whatever_happens_a_check_ends_with_what_was_or_what_was_to_be(
    steps: list[tuple[Any, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = Pretended(Path(folder) / "enforcer")
        possible: set[Target | None] = {None}
        for step in steps:
            possible |= _take(site, *step)
        for kernel in site.kernels.values():
            kernel.fault = None
        check(site)
        in_force = (site.folder.state() or State(None)).target
        assert in_force in possible
        assert in_force is None or site.holds(in_force)
        assert not site.folder.has_journal()
        last = site.store.target("203.0.113.0/24")
        site.canaries.cut_off = frozenset
        site.enforce(last)
        assert site.holds(last)


def _take(site: Pretended, name: str, *arguments: Any) -> set[Target | None]:
    """Do one step; return what it may have brought into force."""
    if name == "enforce":
        (block, enforcer, verdict), line, is_cut_off = arguments
        target = site.store.target(*block, enforcer=enforcer, rules=Rules(verdict))
        lost = frozenset({"gateway"})
        site.canaries = Neighbours(
            lost, lambda: lost if is_cut_off and _holds(site, target) else frozenset()
        )
        _survive(line, lambda: site.enforce(target))
        return {target}
    if name == "check":
        _survive(arguments[0], lambda: check(site))
    elif name == "fault":
        for kernel in site.kernels.values():
            kernel.fault = (arguments[0], EnforceUnavailable("no answer"))
    elif name == "flush":
        for kernel in site.kernels.values():
            kernel.content = kernel.content and content_of()
    else:
        for kernel in site.kernels.values():
            kernel.content = kernel.rules = kernel.aside = None
    return set()


def _holds(site: Pretended, target: Target) -> bool:
    content = site.kernels[target.enforcer].content
    return content is not None and content.digests() == (target.block_digest, target.allow_digest)


def _survive(line: int, run: Callable[[], object]) -> None:
    with suppress(EnforceError):
        killed_at(line, run)
