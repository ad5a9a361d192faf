"""The two generations of sets take turns: whatever cuts an apply short, one list is live, whole."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from enforcement.kernel import commands, nft_text
from enforcement.kernel.base import Content, Rules, Verdict
from enforcement.kernel.errors import EnforceRefused, EnforceUnavailable
from enforcement.kernel.layout import SETS, SetName
from enforcement.kernel.nft_rules import meant, other
from enforcement.kernel.nftables import NftablesEnforcer
from netsets.cidr import AddressSet
from tests.enforcement.kernel.nft_table import NEW, OLD, RULES, bring, nft, proves, ruleset, singles
from tests.fakes.gateway import clean

pytestmark = pytest.mark.kernel
REJECT = Rules(Verdict.REJECT)


class Killed(BaseException):
    """Ends an apply as SIGKILL does: nobody catches it."""


@pytest.fixture
def enforcer() -> Iterator[NftablesEnforcer]:
    """The enforcer; nothing is left in this namespace afterwards."""
    yield NftablesEnforcer()
    clean()


def generations() -> set[str]:
    """Return the generations of which sets are there."""
    return {generation for generation in ("", "_b") if ruleset().held(generation)}


@contextmanager
def failing(number: int, error: BaseException) -> Iterator[None]:
    """Have the n-th text that nft is given in the block end with an error, before nft has it."""
    run, left = commands.run, number

    def counted(command: list[str], *, given: bytes = b"", seconds: float) -> commands.Done:
        nonlocal left
        left -= bool(given)
        if given and left == 0:
            raise error
        return run(command, given=given, seconds=seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "run", counted)
        yield


def test_lists_take_turns_and_leave_nothing(enforcer: NftablesEnforcer) -> None:
    bring(enforcer, OLD)
    assert generations() == {""}  # as documented
    bring(enforcer, NEW)
    assert generations() == {"_b"}
    enforcer.write_rules(REJECT)  # which stays with the sets that are live
    assert generations() == {"_b"}
    proves(enforcer, NEW, REJECT)
    assert set(enforcer.states()) == {str(name) for name in SETS}
    bring(enforcer, OLD)
    assert generations() == {""}
    proves(enforcer, OLD)


@pytest.mark.parametrize("before", [(OLD,), (NEW, OLD)])
@pytest.mark.parametrize("next_run", ["settles", "applies"])
def test_a_kill_between_the_two_texts_leaves_sets_that_nobody_reads_and_that_go(
    enforcer: NftablesEnforcer, before: tuple[Content, ...], next_run: str
) -> None:
    for content in before:
        bring(enforcer, content)
    live = ruleset().generation
    with failing(2, Killed()), pytest.raises(Killed):
        bring(enforcer, NEW)
    assert (ruleset().generation, generations()) == (live, {"", "_b"})
    proves(enforcer, OLD)
    enforcer.write_rules(REJECT)
    proves(enforcer, OLD, REJECT)
    if next_run == "settles":
        enforcer.settle()
    else:
        bring(enforcer, OLD, REJECT)
    assert len(generations()) == 1
    proves(enforcer, OLD, REJECT)


@pytest.mark.parametrize("number", [1, 2])
def test_an_error_in_either_text_leaves_the_old_table_whole(
    enforcer: NftablesEnforcer, number: int
) -> None:
    bring(enforcer, OLD)
    was = nft("-a", "list", "ruleset")
    error = EnforceUnavailable("too slow")
    with failing(number, error), pytest.raises(EnforceUnavailable, match="too slow"):
        bring(enforcer, NEW)
    assert nft("-a", "list", "ruleset") == was


def test_sets_of_both_generations_that_somebody_asks_do_not_stay(
    enforcer: NftablesEnforcer,
) -> None:
    bring(enforcer, OLD)
    with failing(2, Killed()), pytest.raises(Killed):
        bring(enforcer, NEW)
    nft("add rule inet tscm TSinput ip saddr @TSblockaddr_b drop")
    assert "TSinput has a rule that is not ours" in enforcer.read(RULES).faults[0]
    with pytest.raises(EnforceRefused, match="did not take table inet tscm"):
        bring(enforcer, NEW)
    enforcer.write_rules(RULES)
    proves(enforcer, OLD)
    bring(enforcer, NEW)
    proves(enforcer, NEW)


@pytest.mark.parametrize("before", [True, False])
def test_a_bad_element_leaves_the_old_table_whole(
    enforcer: NftablesEnforcer, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    if before:
        bring(enforcer, OLD)
    was = nft("-a", "list", "ruleset")
    run = commands.run

    def with_overlap(command: list[str], *, given: bytes = b"", seconds: float) -> commands.Done:
        """Stand for a disk, a wire or a memory that turns one address into another."""
        spoilt = given.replace(b"198.51.100.128/25,", b"198.51.100.0/24,")
        return run(command, given=spoilt, seconds=seconds)

    monkeypatch.setattr(commands, "run", with_overlap)
    bad = Content(AddressSet.of("198.51.100.0/26", "198.51.100.128/25"), NEW.allow)
    with pytest.raises(EnforceRefused, match=r"did not take table inet tscm.*stays as it was"):
        bring(enforcer, bad)
    assert nft("-a", "list", "ruleset") == was


def test_a_kernel_refusal_in_the_middle_leaves_the_old_table_whole(
    enforcer: NftablesEnforcer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(enforcer, OLD)
    was = nft("-a", "list", "ruleset")
    # ENFILE: the set is full, which the kernel finds when it has taken much of the transaction.
    monkeypatch.setattr("enforcement.kernel.nft_text._head", _too_small)
    with pytest.raises(EnforceRefused, match="Too many open files"):
        bring(enforcer, Content(OLD.block, AddressSet.of("192.0.2.1", "192.0.2.3")))
    assert nft("-a", "list", "ruleset") == was


def _too_small(name: SetName, _entries: int) -> str:
    return f"type ipv{name.version}_addr; {'flags interval;' if name.is_net else 'size 1;'}"


def test_a_kill_of_nft_at_any_time_leaves_the_old_list_or_the_new(
    enforcer: NftablesEnforcer,
) -> None:
    lists = [Content(singles(seed, 20_000), OLD.block) for seed in (1, 2)]
    bring(enforcer, lists[0])
    digests = [one.digests() for one in lists]
    began = time.monotonic()
    _load(lists[1])
    usual, in_force = time.monotonic() - began, 1
    ended: list[int] = []
    for attempt in range(24):
        wanted = 1 - in_force
        before = len(ended)
        with suppress(subprocess.TimeoutExpired):  # which kills it
            _load(lists[wanted], seconds=usual * attempt / 12)
            ended.append(attempt)
        held = enforcer.read(RULES)
        assert held.faults == ()
        assert held.content is not None
        in_force = digests.index(held.content.digests())  # raises for a mix
        assert in_force == wanted or len(ended) == before
    assert 3 <= len(ended) <= 21, ended
    enforcer.settle()
    assert len(generations()) == 1


def _load(content: Content, *, seconds: float = 60) -> None:
    """Do what an apply does, with so much time for all of it."""
    ends = time.monotonic() + seconds
    found = ruleset()
    spare = other(found.generation)
    for text in (
        nft_text.filling(found, content, generation=spare),
        nft_text.switch(found, meant(RULES, generation=spare)),
    ):
        left = max(0.0, ends - time.monotonic())
        subprocess.run(["nft", "-f", "-"], input=text, timeout=left, check=True)
