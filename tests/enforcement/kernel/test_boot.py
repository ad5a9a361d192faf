"""What a boot restores, and what it does where it cannot tell what was in force."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enforcement.kernel import enforcer_named
from enforcement.kernel.base import Plan, Rules, Target
from enforcement.kernel.boot import main, restore
from enforcement.kernel.errors import EnforceRefused, StateDamaged
from enforcement.kernel.records import State
from enforcement.kernel.verify import verify
from tests.enforcement.kernel.pretended import Pretended, content_of
from tests.fakes.appliance import CHECKOUT

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> Pretended:
    return Pretended(tmp_path / "enforcer")


@pytest.fixture
def last(site: Pretended) -> Target:
    """What was in force when the machine went down, the second of two; the kernel is empty."""
    site.enforce(site.store.target("192.0.2.0/24", label="edge #1"))
    target = site.store.target("203.0.113.0/24", allow=("203.0.113.7",), label="edge #2")
    site.enforce(target)
    go_down(site)
    return target


def go_down(site: Pretended) -> None:
    site.kernel.content = site.kernel.rules = site.kernel.aside = None
    site.kernel.done.clear()


def boot(site: Pretended, now: datetime = NOW) -> str:
    return restore(host=site.host, now=now)


def in_force(site: Pretended, *block: str) -> bool:
    content = site.kernel.content
    return content is not None and content.block == content_of(*block).block


def test_what_was_in_force_is_restored_rules_first(site: Pretended, last: Target) -> None:
    assert boot(site) == "restored edge #2: 2 entries in 8 sets"
    assert site.kernel.done[:2] == ["write_rules", "apply"]
    assert site.holds(last)
    assert boot(site) == "restored edge #2: 2 entries in 8 sets"


def test_it_needs_no_store(site: Pretended, last: Target) -> None:
    site.store.held.clear()
    boot(site)
    assert site.holds(last)


def test_where_nothing_was_ever_applied_nothing_is_restored(site: Pretended) -> None:
    assert boot(site) == f"nothing to restore: there is no {site.path}"
    assert not site.path.exists()
    site.path.mkdir()
    assert boot(site) == "nothing to restore: nothing is in force"
    assert site.kernel.done == []


def test_a_pause_outlives_a_boot_but_not_its_end(site: Pretended) -> None:
    paused = site.store.target("192.0.2.0/24", rules=Rules(paused_until=LATER))
    site.enforce(paused)
    go_down(site)
    boot(site)
    assert site.kernel.rules == Rules(paused_until=LATER)
    go_down(site)
    boot(site, LATER)
    assert site.kernel.rules == Rules()
    assert site.folder.state() != State(paused)


def test_rules_are_in_place_where_the_sets_do_not_go_in(site: Pretended, last: Target) -> None:
    class Small(type(site.kernel)):  # type: ignore[misc]
        def plan(self, *_: object) -> Plan:
            raise EnforceRefused("too large for the memory")

    site.kernel.__class__ = Small
    with pytest.raises(EnforceRefused, match="too large"):
        boot(site)
    assert site.kernel.rules == last.rules
    assert in_force(site)


@pytest.mark.parametrize("lost", ["state.json", "sets"])
def test_a_damaged_state_gives_what_was_in_force_before_and_says_so(
    site: Pretended, last: Target, lost: str
) -> None:
    path = site.path / (lost if lost == "state.json" else f"sets/{last.block_digest}")
    path.write_bytes(b"damaged")
    with pytest.raises(StateDamaged, match=r"before it was restored: edge #1") as told:
        boot(site)
    assert str(path) in str(told.value)
    assert in_force(site, "192.0.2.0/24")
    site.enforce(last)  # the next apply heals it
    assert site.holds(last)


def test_a_damaged_state_leaves_what_is_in_the_kernel(site: Pretended, last: Target) -> None:
    boot(site)
    (site.path / "state.json").write_bytes(b"damaged")
    with pytest.raises(StateDamaged, match="The kernel holds a list, which stays"):
        boot(site)
    assert in_force(site, "203.0.113.0/24")


def test_a_state_that_is_missing_is_no_word_that_nothing_is_in_force(
    site: Pretended, last: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    enforcer_named("memory").remove()  # the process's own pretended kernel
    (site.path / "state.json").unlink()
    with pytest.raises(StateDamaged, match=r"state\.json is missing, while state\.previous\.json"):
        verify(host=site.host, now=NOW)
    assert main([str(site.path)]) == 1
    assert "What was in force before it was restored: edge #1" in capsys.readouterr().err
    outcome = site.enforce(last)
    assert "is missing" in outcome.healed[0]
    assert site.holds(last)
    assert verify(host=site.host, now=NOW).healed == ()


def test_a_missing_state_beside_lists_alone_is_told_and_nothing_is_done(
    site: Pretended, last: Target
) -> None:
    for name in ("state.json", "state.previous.json"):
        (site.path / name).unlink()
    with pytest.raises(StateDamaged, match=r"while sets/ with lists is there.*Nothing was rest"):
        boot(site)
    assert site.kernel.content is None


@pytest.mark.parametrize("name", ["state.previous.json", "sets", None])
def test_where_nothing_is_whole_nothing_is_done_to_the_sets(
    site: Pretended, last: Target, name: str | None
) -> None:
    previous = site.folder.previous()
    assert previous is not None
    assert previous.target is not None
    if name is None:
        (site.path / "state.previous.json").unlink()
    elif name == "sets":
        (site.path / "sets" / previous.target.block_digest).unlink()
    else:
        (site.path / name).write_bytes(b"damaged")
    (site.path / "state.json").write_bytes(b"damaged")
    with pytest.raises(StateDamaged, match="Nothing was restored, what is in the kernel stays"):
        boot(site)
    assert site.kernel.content is None


def test_what_was_taken_out_is_not_restored_from_what_was_before(site: Pretended) -> None:
    with site.folder.locked("the test"):
        site.folder.write_state(State(None))
    assert boot(site) == "nothing to restore: nothing is in force"


def test_it_answers_with_an_exit_code_and_one_line(
    site: Pretended, last: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 2
    assert "usage: " in capsys.readouterr().err
    enforcer_named("memory").remove()  # the process's own pretended kernel
    assert main([str(site.path)]) == 0
    assert capsys.readouterr().out == "restored edge #2: 2 entries in 8 sets\n"
    (site.path / "state.json").write_bytes(b"damaged")
    assert main([str(site.path)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("restore failed: ")
    assert told.count("\n") == 1


def test_it_runs_without_django_and_without_a_database(site: Pretended, last: Target) -> None:
    program = (
        "import runpy, sys\n"
        "try:\n"
        "    runpy.run_module('enforcement.kernel.boot', run_name='__main__')\n"
        "finally:\n"
        "    print(sorted({'django', 'celery', 'policies'} & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, site.path], cwd=CHECKOUT, env={}, capture_output=True,
        text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout == "restored edge #2: 2 entries in 8 sets\n[]\n", done.stderr
