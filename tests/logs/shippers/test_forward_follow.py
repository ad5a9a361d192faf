"""Which spools are forwarded to which targets changes while lines flow."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from logs.shippers.forward import Forwarder
from logs.spool.base import Place
from tests.fakes.foreground import free_port
from tests.logs.shippers.forwards import KEY, QUICK, done, forwarding, local, status_of
from tests.logs.shippers.sinks import Sink, until
from tests.logs.spools import NOW, Filled, filled


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Filled]:
    with filled(tmp_path / "spool") as made:
        yield made


@pytest.fixture
def cursors(tmp_path: Path) -> Path:
    return tmp_path / "cursors"


def saved(cursors: Path) -> int:
    """Return how many cursors are kept."""
    return len(list(cursors.glob("*.json")))


def test_a_new_target_gets_what_comes_from_now_on(spool: Filled, cursors: Path) -> None:
    spool.count(100)
    with Sink() as sink, Forwarder(cursors, clock=lambda: NOW, pace=QUICK) as forwarder:
        target = local(sink.port)
        forwarder.follow({KEY: (spool.place, (target,))})
        until(lambda: saved(cursors), forwarder.statuses)
        spool.count(10)
        done(forwarder, target, sent=10)
        assert sink.received == b"\n".join([*spool.lines[100:], b""])


def test_a_new_target_that_is_away_at_first_misses_nothing_from_then_on(
    spool: Filled, cursors: Path
) -> None:
    spool.count(100)
    target = local(free_port())
    for _ in range(2):
        with Forwarder(cursors, clock=lambda: NOW, pace=QUICK) as forwarder:
            forwarder.follow({KEY: (spool.place, (target,))})
            until(lambda: saved(cursors), lambda: "no cursor")
        spool.count(10)
    with (
        Sink(port=target.port) as sink,
        Forwarder(cursors, clock=lambda: NOW, pace=QUICK) as forwarder,
    ):
        forwarder.follow({KEY: (spool.place, (target,))})
        done(forwarder, target, sent=20)
        assert sink.received == b"\n".join([*spool.lines[100:], b""])


def test_each_target_of_a_spool_gets_all_of_it_at_its_own_pace(
    spool: Filled, cursors: Path
) -> None:
    with Sink() as one, Sink() as two:
        away = local(free_port())
        targets = (local(one.port), local(two.port, preserve="header"), away)
        with forwarding(cursors, spool.place, *targets) as forwarder:
            spool.count(100)
            done(forwarder, targets[0], sent=100)
            done(forwarder, targets[1], sent=100)
            status = status_of(forwarder, away)
            assert status is not None
            assert status.lag_lines == 100
        assert one.received == spool.text
        assert two.received.count(b"<134>Mar  1 01:02:36 192.0.2.7 <134>line") == 100


def test_a_target_that_is_no_longer_wanted_is_let_go_of_and_its_cursor_forgotten(
    spool: Filled, cursors: Path
) -> None:
    with Sink() as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target) as forwarder:
            spool.count(10)
            done(forwarder, target, sent=10)
            forwarder.follow({})
            until(lambda: not forwarder.statuses() and not saved(cursors), forwarder.statuses)
            spool.count(10)
            forwarder.follow({KEY: (spool.place, (target,))})
            # This forwarder begins at the oldest line, so that all comes again.
            done(forwarder, target, sent=20)
        assert len(sink.connections) == 2


def test_a_target_whose_form_changes_goes_on_where_it_was(spool: Filled, cursors: Path) -> None:
    with Sink() as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target) as forwarder:
            spool.count(10)
            done(forwarder, target, sent=10)
            until(lambda: b'"sent": 10' in only(cursors), lambda: only(cursors))
            changed = replace(target, preserve="header")
            forwarder.follow({KEY: (spool.place, (changed,))})
            spool.count(10)
            done(forwarder, changed, sent=20)
        assert [connection.count(b"\n") for connection in sink.connections] == [10, 10]
        assert sink.connections[1].startswith(b"<134>Mar  1 01:02:36 192.0.2.7 ")


def test_a_device_that_is_renamed_goes_on_where_it_was(
    spool: Filled, cursors: Path, tmp_path: Path
) -> None:
    with Sink() as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target) as forwarder:
            spool.count(10)
            done(forwarder, target, sent=10)
            until(lambda: b'"sent": 10' in only(cursors), lambda: only(cursors))
            moved = Place(spool.place.folder.rename(tmp_path / "renamed"), "syslog")
            forwarder.follow({KEY: (moved, (target,))})
            spool.count(10)
            done(forwarder, target, sent=20)
        assert sink.received == spool.text


def only(cursors: Path) -> bytes:
    """Return the one cursor that is kept."""
    (path,) = cursors.glob("*.json")
    return path.read_bytes()


def test_a_cursor_that_cannot_be_read_has_all_sent_again(
    spool: Filled, cursors: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Sink() as sink:
        target = local(sink.port)
        spool.count(10)
        with forwarding(cursors, spool.place, target) as forwarder:
            done(forwarder, target, sent=10)
        (path,) = cursors.glob("*.json")
        path.write_text("{")
        with Forwarder(cursors, clock=lambda: NOW, pace=QUICK) as forwarder:
            forwarder.follow({KEY: (spool.place, (target,))})
            done(forwarder, target, sent=10)
        assert sink.received == spool.text * 2
    assert "is no cursor" in caplog.text


def test_a_stop_saves_what_was_acknowledged(spool: Filled, cursors: Path) -> None:
    slow = replace(QUICK, save=3_600.0)
    with Sink() as sink:
        target = local(sink.port)
        with forwarding(cursors, spool.place, target, pace=slow) as forwarder:
            spool.count(1_000)
            done(forwarder, target, sent=1_000)
        with forwarding(cursors, spool.place, target, pace=slow) as forwarder:
            spool.count(10)
            done(forwarder, target, sent=1_010)
        assert sink.received == spool.text


def test_hundreds_of_targets_need_one_thread_and_few_files(tmp_path: Path, cursors: Path) -> None:
    # 600 sockets and files at both ends are beyond the usual limit of 1,024.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    try:
        with ExitStack() as stack, Sink() as sink:
            spools = [stack.enter_context(filled(tmp_path / str(n))) for n in range(100)]
            target = local(sink.port)
            for spool in spools:
                spool.count(10)
            threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
            with Forwarder(cursors, clock=lambda: NOW, pace=QUICK, begin="oldest") as forwarder:
                forwarder.follow(
                    {str(n): (spool.place, (target,)) for n, spool in enumerate(spools)}
                )
                until(
                    lambda: sum(status.sent for status in forwarder.statuses().values()) == 1_000,
                    forwarder.statuses,
                )
                more = len(os.listdir("/proc/self/task")) - threads  # noqa: PTH208
                assert more <= 20 + len(sink.connections), "a thread for each reader of the sink"
            assert len(sink.connections) == 100
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
