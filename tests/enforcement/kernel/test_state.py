"""The state folder: whole or named, and only one at work."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.base import Rules, Target, Verdict, Way
from enforcement.kernel.errors import EnforceUnavailable, StateDamaged
from enforcement.kernel.records import (
    Journal,
    State,
    Step,
    open_journal,
    open_state,
    seal_journal,
    seal_state,
)
from enforcement.kernel.state import StateFolder
from tests.enforcement.kernel.pretended import Store, content_of

UNTIL = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    made = StateFolder(tmp_path / "enforcer")
    with made.locked("the test"):
        pass
    return made


def test_what_is_written_is_what_is_read(folder: StateFolder, store: Store) -> None:
    rules = Rules(Verdict.REJECT, "10/second", UNTIL)
    first = State(store.target("192.0.2.0/24", rules=rules), {"TSblocknet": 1})
    second = State(replace(store.target(), snapshot=7), {})
    assert (folder.state(), folder.previous(), folder.journal()) == (None, None, None)
    folder.write_state(first)
    assert (folder.state(), folder.previous()) == (first, None)
    folder.write_state(second)
    assert (folder.state(), folder.previous()) == (second, first)
    journal = Journal(
        first.target, second.target, Way.DIFFERENCE, frozenset({"gateway"}), Step.SWITCHED
    )
    folder.write_journal(journal)
    assert folder.journal() == journal
    folder.end_journal()
    folder.end_journal()
    assert folder.journal() is None


def test_nobody_else_may_read_or_write_it(folder: StateFolder, store: Store) -> None:
    folder.take(store.target("192.0.2.0/24"), store)
    folder.write_state(State(None))
    for path in (folder.path, *folder.path.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_after_all_was_taken_out_there_is_nothing_to_fall_back_to(
    folder: StateFolder, store: Store
) -> None:
    folder.write_state(State(store.target("192.0.2.1")))
    folder.write_state(State(store.target("192.0.2.2")))
    folder.write_state(State(None))
    assert (folder.state(), folder.previous()) == (State(None), None)


@given(st.data())
def test_no_damage_of_a_record_passes(data: st.DataObject) -> None:
    target = Target("edge #1", "memory", "a" * 64, "b" * 64)
    journal = Journal(None, target, Way.REPLACE)
    for record, opened, was in (
        (
            seal_state(State(target, {"TSblocknet": 1})),
            open_state,
            State(target, {"TSblocknet": 1}),
        ),
        (seal_journal(journal), open_journal, journal),
    ):
        place = data.draw(st.integers(0, len(record) - 1))
        how = data.draw(st.sampled_from(("cut", "changed")))
        byte = data.draw(st.integers(0, 255))
        damaged = (
            record[:place] if how == "cut" else record[:place] + bytes([byte]) + record[place + 1 :]
        )
        try:
            read = opened(damaged)
        except ValueError:
            continue
        assert read == was  # white space, or the byte that stood there


def test_a_damaged_state_is_named_and_does_not_replace_a_whole_previous_one(
    folder: StateFolder, store: Store
) -> None:
    first, second = State(store.target("192.0.2.1")), State(store.target("192.0.2.2"))
    folder.write_state(first)
    folder.write_state(second)
    (folder.path / "state.json").write_text("{}")
    with pytest.raises(
        StateDamaged, match=r"state\.json is damaged, it is no state: apply the list"
    ):
        folder.state()
    folder.write_state(second)
    assert folder.previous() == first


@pytest.mark.parametrize("left", ["state.previous.json", "journal.json", "sets/"])
def test_a_state_that_is_missing_beside_others_was_lost(
    folder: StateFolder, store: Store, left: str
) -> None:
    target = store.target("192.0.2.1")
    folder.take(target, store)
    assert folder.state() == State(None)
    folder.write_state(State(target))
    folder.write_journal(Journal(target, target, Way.REPLACE))
    for name in {"state.previous.json", "journal.json"} - {left}:
        (folder.path / name).unlink()
    if left != "sets/":
        shutil.rmtree(folder.path / "sets")
    (folder.path / "state.json").unlink()
    with pytest.raises(StateDamaged, match=rf"state\.json is missing, while {left}.* is there: "):
        folder.state()
    (folder.path / "sets").mkdir(exist_ok=True)
    folder.take(target, store)  # which does not say that nothing is in force
    with pytest.raises(StateDamaged, match="is missing"):
        folder.state()
    folder.write_state(State(None))
    assert folder.state() == State(None)


def test_a_state_is_not_taken_for_a_journal_nor_one_of_another_format(
    folder: StateFolder,
) -> None:
    folder.write_state(State(None))
    (folder.path / "state.json").rename(folder.path / "journal.json")
    with pytest.raises(StateDamaged, match="checksum"):
        folder.journal()
    assert folder.set_journal_aside() == "journal.damaged.json"
    assert folder.journal() is None
    (folder.path / "state.json").write_bytes(
        seal_state(State(None)).replace(b'"format": 1', b'"format": 2')
    )
    with pytest.raises(StateDamaged, match="its format is 2, this program reads 1"):
        folder.state()


def test_lists_are_held_when_the_store_has_lost_them(folder: StateFolder, store: Store) -> None:
    target = store.target("192.0.2.0/24", allow=("192.0.2.1",))
    folder.take(target, store)
    store.held.clear()
    held = folder.take(target, store)
    assert held.digests() == (target.block_digest, target.allow_digest)
    assert folder.load(target).digests() == held.digests()


def test_a_file_of_the_store_is_linked_and_outlives_it(
    folder: StateFolder, store: Store, tmp_path: Path
) -> None:
    target = store.target("192.0.2.0/24")
    for digest, content in store.held.items():
        (tmp_path / digest).write_bytes(content)
    folder.take(target, lambda digest: tmp_path / digest)
    held = folder.path / "sets" / target.block_digest
    assert held.stat().st_nlink == 2
    (tmp_path / target.block_digest).unlink()
    assert folder.load(target).block == content_of("192.0.2.0/24").block


def test_a_damaged_list_is_brought_from_the_store_again_and_named_where_that_has_none(
    folder: StateFolder, store: Store
) -> None:
    target = store.target("192.0.2.0/24")
    folder.take(target, store)
    held = folder.path / "sets" / target.block_digest
    held.write_bytes(held.read_bytes()[:-1] + b"\0")
    with pytest.raises(StateDamaged, match=f"{target.block_digest} is damaged, its digest"):
        folder.load(target)
    folder.take(target, store)
    folder.load(target)
    held.unlink()
    with pytest.raises(StateDamaged, match=f"{target.block_digest} is lost"):
        folder.load(target)
    store.held.clear()
    with pytest.raises(StateDamaged, match="cannot be read from the store"):
        folder.take(target, store)


def test_looking_holds_nothing(folder: StateFolder, store: Store, tmp_path: Path) -> None:
    target = store.target("192.0.2.0/24")
    assert folder.look(target, store).block == content_of("192.0.2.0/24").block
    assert not list((folder.path / "sets").iterdir())
    store.held[target.block_digest] = b"something else"
    with pytest.raises(StateDamaged, match="the stored list"):
        folder.look(target, store)
    with pytest.raises(StateDamaged, match="digest does not fit"):
        folder.look(target, lambda digest: tmp_path / digest)


def test_lists_that_no_record_names_are_cleaned_up(folder: StateFolder, store: Store) -> None:
    targets = [store.target(f"192.0.2.{last}") for last in range(5)]
    for target in targets:
        folder.take(target, store)
    for target in targets[:3]:
        folder.write_state(State(target))
    folder.write_journal(Journal(targets[2], targets[3], Way.REPLACE))
    (folder.path / "sets" / "left.part").touch()
    folder.clean()
    named = {one.block_digest for one in targets[1:4]} | {targets[0].allow_digest}
    assert {path.name for path in (folder.path / "sets").iterdir()} == named
    (folder.path / "journal.json").write_text("damaged")
    folder.write_state(State(None))
    folder.clean()
    assert {path.name for path in (folder.path / "sets").iterdir()} == named


def test_a_digest_is_not_a_path(folder: StateFolder) -> None:
    with pytest.raises(ValueError, match="no SHA-256 digest"):
        folder.load(Target("edge", "memory", "../state.json", "b" * 64))


def test_the_second_waits_for_the_first_and_is_told_who_it_is(folder: StateFolder) -> None:
    with (
        folder.locked("an apply"),
        pytest.raises(EnforceUnavailable, match=f"held by an apply, process {os.getpid()}, or by"),
        StateFolder(folder.path).locked("a check", seconds=0.1),
    ):
        pass
    with folder.locked("a check", seconds=0):
        pass


def test_the_lock_of_a_killed_process_is_free(folder: StateFolder) -> None:
    program = (
        "import os, pathlib, signal, sys\n"
        "from enforcement.kernel.state import StateFolder\n"
        "with StateFolder(pathlib.Path(sys.argv[1])).locked('an apply'):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, folder.path], timeout=30, check=False)
    assert done.returncode < 0
    with folder.locked("the next", seconds=0):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(EnforceUnavailable, match=r"file/enforcer cannot be used: Not a directory"),
        StateFolder(tmp_path / "file" / "enforcer").locked("an apply"),
    ):
        pass
    with pytest.raises(EnforceUnavailable, match=r"state\.json cannot be read: Not a directory"):
        StateFolder(tmp_path / "file").state()
