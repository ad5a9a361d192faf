"""The collector keeps what is in order, once, and nothing else."""

from __future__ import annotations

import gzip
import os
import random
import tempfile
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from logs.collector import application, store
from logs.collector.store import MOST_DEVICES, Sequence, Store
from logs.collector.wsgi import Application
from tests.logs.collector.sending import Answer, Sent, ask, digest

MEGABYTE = 1 << 20


@pytest.fixture
def collector(tmp_path: Path) -> Application:
    return application(tmp_path)


def files(folder: Path) -> list[str]:
    """Return what is kept; locks are not."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.name != ".lock")


def test_a_batch_is_kept_as_it_was_sent_and_acknowledged_by_what_came(
    collector: Application, tmp_path: Path
) -> None:
    sent = Sent(number=7)
    answer = ask(collector, sent.environ())
    assert (tmp_path / "tdid_abcd1234" / "7.log.gz").read_bytes() == sent.body
    assert answer.status == 200
    assert answer.headers["TSCM-Received-Bytes"] == str(len(sent.body))
    assert answer.headers["TSCM-Received-Digest"] == digest(sent.body)
    assert answer.headers["TSCM-Duplicate"] == "no"
    assert answer.said == {
        "device": "tdid_abcd1234", "batch": 7, "bytes": len(sent.body), "lines": 2,
        "digest": digest(sent.body), "duplicate": False, "missing": "",
    }  # fmt: skip


def test_the_same_batch_again_is_a_duplicate_even_if_packed_otherwise(
    collector: Application, tmp_path: Path
) -> None:
    first = Sent()
    ask(collector, first.environ())
    again = ask(collector, Sent(body=gzip.compress(first.text, 1)).environ())
    assert (again.status, again.said["duplicate"]) == (200, True)
    assert again.headers["TSCM-Duplicate"] == "yes"
    assert (tmp_path / "tdid_abcd1234" / "1.log.gz").read_bytes() == first.body
    assert files(tmp_path) == ["tdid_abcd1234/1.log.gz"]


def test_a_duplicate_is_acknowledged_once_its_name_is_on_the_disk(
    collector: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(collector, Sent().environ())
    synced: list[Path] = []
    # Whoever kept it may have been killed between its rename and this.
    monkeypatch.setattr(store, "sync_folder", synced.append)
    assert ask(collector, Sent().environ()).said["duplicate"] is True
    assert synced == [tmp_path / "tdid_abcd1234"]


def test_the_same_number_with_other_content_is_a_conflict_and_changes_nothing(
    collector: Application, tmp_path: Path
) -> None:
    first = Sent()
    ask(collector, first.environ())
    answer = ask(collector, Sent(text=b"something else\n").environ())
    assert answer.status == 409
    assert answer.said == {"error": "batch 1 of tdid_abcd1234 is known with other content"}
    assert (tmp_path / "tdid_abcd1234" / "1.log.gz").read_bytes() == first.body
    assert files(tmp_path) == ["tdid_abcd1234/1.log.gz"]


def test_a_kept_batch_that_a_disk_has_damaged_is_replaced_when_it_comes_again(
    collector: Application, tmp_path: Path
) -> None:
    sent = Sent()
    ask(collector, sent.environ())
    kept = tmp_path / "tdid_abcd1234" / "1.log.gz"
    kept.write_bytes(sent.body[:-9])
    assert ask(collector, sent.environ()).said["duplicate"] is False
    assert kept.read_bytes() == sent.body


def test_gaps_in_the_sequence_are_told(collector: Application) -> None:
    for number in (2, 3, 6, 8):
        answer = ask(collector, Sent(number=number).environ())
    assert answer.said["missing"] == "4-5, 7"
    assert ask(collector, Sent(number=7).environ()).said["missing"] == "4-5"


def test_no_more_gaps_are_listed_than_can_be_read() -> None:
    assert Sequence("tdid_x", tuple(range(1, 1000, 2))).missing.count(",") == 20
    assert Sequence("tdid_x", (1, 10**17)).missing == f"2-{10**17 - 1}"


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("Content-Length", None, 411),
        ("Content-Length", "abc", 400),
        ("Content-Length", "-1", 400),
        ("Content-Length", str(2 << 30), 413),
        ("TSCM-Bytes", str(5 << 30), 413),
        ("Content-Encoding", None, 415),
        ("Content-Encoding", "br", 415),
        ("Content-Digest", None, 400),
        ("Content-Digest", "sha-256=:AAAA:", 400),
        ("Content-Digest", "md5=:AAAA:", 400),
        ("TSCM-Digest", "sha-256=:" + "é" * 43 + "=:", 400),
        ("TSCM-Device", None, 400),
        ("TSCM-Device", "../../etc", 400),
        ("TSCM-Device", "a/b", 400),
        ("TSCM-Device", ".", 400),
        ("TSCM-Device", "a" * 65, 400),
        ("TSCM-Device", "tdid_a\n", 400),
        ("TSCM-Batch", "0", 400),
        ("TSCM-Batch", "007", 400),
        ("TSCM-Batch", "1e3", 400),
        ("TSCM-Batch", "٣", 400),
        ("TSCM-Batch", "9" * 19, 400),
        ("TSCM-Lines", "two", 400),
        ("TSCM-First", "yesterday", 400),
        ("TSCM-Last", "2026-11-21T12:00:00", 400),
    ],
)
def test_a_head_that_is_not_in_order_is_refused_before_the_body(
    name: str, value: str | None, status: int, collector: Application, tmp_path: Path
) -> None:
    sent = Sent()
    if value is None:
        del sent.headers[name]
    else:
        sent.headers[name] = value
    environ = sent.environ()
    answer = ask(collector, environ)
    assert answer.status == status
    assert name in answer.said["error"] or status == 413
    assert environ["wsgi.input"].tell() == 0
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"Content-Length": "10"}, "Content-Digest"),
        ({"Content-Length": "9999"}, "the body ended after"),
        ({"Content-Digest": digest(b"x")}, "the body's SHA-256 is not that of Content-Digest"),
        ({"TSCM-Digest": digest(b"x")}, "the text's SHA-256 is not that of TSCM-Digest"),
        ({"TSCM-Lines": "3"}, "TSCM-Lines says otherwise"),
        ({"TSCM-Bytes": "20"}, "more bytes than TSCM-Bytes says"),
        ({"TSCM-Bytes": "22"}, "TSCM-Bytes says otherwise"),
    ],
)
def test_a_body_that_is_not_what_was_announced_is_not_kept(
    changes: dict[str, str], said: str, collector: Application, tmp_path: Path
) -> None:
    sent = Sent()
    sent.headers |= changes
    answer = ask(collector, sent.environ())
    assert answer.status == 400
    assert said in answer.said["error"]
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "body",
    [
        b"no gzip",
        gzip.compress(b"one line\nand another\n")[:-5],
        gzip.compress(b"one line\nand another\n") + b"more",
        gzip.compress(b"one line\n") + gzip.compress(b"and another\n"),
        gzip.compress(b"one line\nand another\n")[:-8] + b"\0" * 8,
        random.Random(1).randbytes(100_000),
    ],
    ids=["text", "cut", "more behind", "two members", "wrong checksum", "noise"],
)
def test_a_gzip_that_is_not_one_whole_member_is_not_kept(
    body: bytes, collector: Application, tmp_path: Path
) -> None:
    answer = ask(collector, Sent(body=body).environ())
    assert answer.status == 400
    assert "gzip" in answer.said["error"]
    assert files(tmp_path) == []


def test_a_gzip_that_unpacks_to_far_more_fills_neither_memory_nor_disk(
    collector: Application, tmp_path: Path
) -> None:
    bomb = gzip.compress(bytes(300 * MEGABYTE), 9)
    environ = Sent(body=bomb).environ()
    tracemalloc.start()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    answer = ask(collector, environ)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status == 400
    assert peak - before < 8 * MEGABYTE
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200), ("HEAD", "/", 200), ("GET", "/upload", 405), ("PUT", "/upload", 405),
        ("POST", "/", 404), ("GET", "/tdid_abcd1234/1.log.gz", 404), ("POST", "/../upload", 404),
    ],
)  # fmt: skip
def test_there_is_one_path_and_one_verb(
    method: str, path: str, status: int, collector: Application
) -> None:
    answer = ask(collector, Sent().environ(method=method, path=path))
    assert answer.status == status
    assert answer.headers.get("Allow") == ("POST" if status == 405 else None)


def test_no_more_devices_are_taken_than_a_site_has(collector: Application, tmp_path: Path) -> None:
    for number in range(MOST_DEVICES):
        (tmp_path / f"tdid_{number}").mkdir()
    assert ask(collector, Sent(device_id="tdid_new").environ()).status == 403
    assert ask(collector, Sent(device_id="tdid_7").environ()).status == 200


def test_a_full_disk_is_told_and_leaves_nothing(
    collector: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (tmp_path / "tdid_abcd1234").mkdir()
    answer = ask(collector, Sent().environ())
    assert (answer.status, answer.said) == (507, {"error": "the disk of the collector is full"})
    assert files(tmp_path) == []


def test_another_fault_of_the_disk_is_an_answer_too(collector: Application, tmp_path: Path) -> None:
    (tmp_path / "tdid_abcd1234").write_text("a file where a folder should be")
    assert ask(collector, Sent().environ()).status == 500


def test_what_a_killed_process_left_is_removed_once_it_is_a_day_old(
    collector: Application, tmp_path: Path
) -> None:
    home = tmp_path / "tdid_abcd1234"
    home.mkdir()
    old, fresh = home / ".old.part", home / ".fresh.part"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, times=(time.time() - 90_000,) * 2)
    ask(collector, Sent().environ())
    assert files(tmp_path) == ["tdid_abcd1234/.fresh.part", "tdid_abcd1234/1.log.gz"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["tdid_a", "tdid_b"]), st.integers(1, 5), st.booleans()),
        max_size=15,
    )
)
def test_any_order_and_repetition_yields_exactly_the_set_of_batches(
    sendings: list[tuple[str, int, bool]],
) -> None:
    """A sending that is cut short is as if it had not been."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        collector = application(folder)
        wanted: dict[tuple[str, int], bytes] = {}
        for device_id, number, is_cut in sendings:
            sent = Sent(f"{device_id} {number}\n".encode(), number, device_id)
            sent.body = sent.body[: len(sent.body) // 2] if is_cut else sent.body
            answer = ask(collector, sent.environ())
            check(answer, is_cut=is_cut, is_known=(device_id, number) in wanted)
            if not is_cut:
                wanted[device_id, number] = sent.text
        found = {
            (sequence.device_id, number): gzip.decompress(
                (folder / sequence.device_id / f"{number}.log.gz").read_bytes()
            )
            for sequence in Store(folder).sequences()
            for number in sequence.numbers
        }
        assert found == wanted
        assert len(files(folder)) == len(wanted)


def check(answer: Answer, *, is_cut: bool, is_known: bool) -> None:
    """Hold an answer against what was sent."""
    if is_cut:
        assert answer.status == 400
    else:
        assert (answer.status, answer.said["duplicate"]) == (200, is_known)
