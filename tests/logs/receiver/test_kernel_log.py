"""What of the kernel's log is a dropped packet, how it is written, and how far it is read."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from deploy.powers import ORDINARY, bounded
from enforcement.kernel.log_limit import LOG_PREFIX
from logs.receiver.kernel_log import (
    KMSG,
    PREFIX,
    KernelLog,
    KernelLogRefused,
    KernelRecord,
    Reached,
    Reading,
    boot_id,
    line_of,
)
from logs.spool.state import MARK_BYTES
from tscm_site.env import CHECKOUT

BOOT, OTHER_BOOT = bytes(range(16)), bytes(range(16, 32))
# 28 August, 1:28:46 UTC, less the 1806 seconds that the kernel had run.
BOOTED_AT = 1_787_880_526_000_000_000 - 1_806_000_000_000
NOW = BOOTED_AT + 2_000_000_000_000
DROP = b"ThreatSTOP-TSblock IN= OUT=eth0 SRC=192.0.2.4 DST=198.51.100.133 PROTO=ICMP "


def drop(sequence: int) -> KernelRecord:
    return KernelRecord(0, sequence, 1_806_463_962, b"%b%d" % (DROP, sequence))


def other(sequence: int) -> KernelRecord:
    return KernelRecord(0, sequence, 1_806_463_962, b"eth0: link up")


def lines(reading: Reading, *records: KernelRecord) -> list[int]:
    """Return the numbers of the records that a reading makes lines of."""
    chunk = reading.take(records, booted_at=BOOTED_AT, now=NOW)
    found = [int(line.rsplit(b" ", 1)[1]) for line in chunk.data.splitlines()]
    assert chunk.lines == len(found)
    return found


def begun(held: Reached | None = None, *, received: int = 0, boot: bytes = BOOT) -> Reading:
    return Reading("edge-gw", boot, held=held, received=received)


def test_the_prefix_is_the_one_that_the_rules_write() -> None:
    assert LOG_PREFIX.encode() == PREFIX


def test_a_line_is_in_the_documented_form() -> None:
    assert line_of(drop(7), b"acmeipfw1", booted_at=BOOTED_AT, now=NOW) == (
        b"Aug 28 01:28:46 acmeipfw1 kernel: [ 1806.463962] ThreatSTOP-TSblock IN= OUT=eth0 "
        b"SRC=192.0.2.4 DST=198.51.100.133 PROTO=ICMP 7\n"
    )


def test_the_day_has_two_places_and_the_stamp_is_not_in_the_future() -> None:
    record = KernelRecord(0, 1, 86_400_000_000, DROP)
    line = line_of(record, b"gw", booted_at=2 * NOW, now=1_788_274_801_000_000_000)
    assert line.startswith(b"Sep  1 15:00:01 gw kernel: [86400.000000] ")


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        (b"4,2212269,19267946669,-;message \n", KernelRecord(0, 2212269, 19267946669, b"message ")),
        (b"12,1,2,-,caller=T1;a;b\n KEY=value\n", KernelRecord(1, 1, 2, b"a;b")),
        (b"30,1,2,c;\n", KernelRecord(3, 1, 2, b"")),
        (b"", None),
        (b"no record", None),
        (b"4,x,2,-;message\n", None),
    ],
)
def test_a_record_is_read_as_the_kernel_writes_it(raw: bytes, record: KernelRecord | None) -> None:
    assert KernelRecord.parse(raw) == record


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange_to_be_looked_at(raw: bytes) -> None:
    KernelRecord.parse(raw)


def test_a_program_cannot_pass_its_words_off_as_a_dropped_packet() -> None:
    assert KernelRecord(0, 1, 2, DROP).is_drop
    assert not KernelRecord(1, 1, 2, DROP).is_drop
    assert not KernelRecord(0, 1, 2, b"x " + DROP).is_drop


def test_all_that_is_there_is_taken_where_nothing_was_read_before() -> None:
    reading = begun()
    assert begun().reached is None
    assert lines(reading, other(40), drop(41), other(42), drop(43)) == [41, 43]
    assert reading.reached == Reached(BOOT, 44, 2)
    assert reading.missed == 0


def test_a_restart_goes_on_behind_what_was_read() -> None:
    reading = begun(Reached(BOOT, 42, 5), received=5)
    assert lines(reading, drop(40), drop(41), drop(42), drop(43)) == [42, 43]
    assert reading.reached == Reached(BOOT, 44, 7)


def test_lines_that_a_killed_run_wrote_without_its_mark_are_passed_over() -> None:
    reading = begun(Reached(BOOT, 42, 5), received=7)
    assert lines(reading, drop(42), other(43)) == []
    # Killed again before it came further: what is passed over is still known.
    assert reading.reached == Reached(BOOT, 44, 6)
    again = begun(reading.reached, received=7)
    assert lines(again, drop(44), drop(45)) == [45]


def test_another_start_of_the_machine_begins_anew() -> None:
    reading = begun(Reached(OTHER_BOOT, 4_000_000, 5), received=9)
    assert lines(reading, other(0), drop(1)) == [1]
    assert (reading.missed, reading.reached) == (0, Reached(BOOT, 2, 10))


@pytest.mark.parametrize(
    ("held", "missed"),
    [(Reached(BOOT, 42, 0), 8), (Reached(OTHER_BOOT, 9, 0), 50), (None, 0)],
)
def test_what_was_overwritten_before_it_was_read_is_counted(
    held: Reached | None, missed: int
) -> None:
    reading = begun(held)
    assert lines(reading, drop(50), drop(60)) == [50, 60]
    assert reading.missed == missed + 9


def test_behind_a_gap_nothing_is_passed_over() -> None:
    reading = begun(Reached(BOOT, 42, 0), received=3)
    assert lines(reading, drop(50), drop(51)) == [50, 51]


def test_the_mark_of_a_chunk_says_how_far_it_goes() -> None:
    reading = begun()
    assert reading.take((), booted_at=0, now=NOW).mark is None
    chunk = reading.take([drop(1), other(2)], booted_at=BOOTED_AT, now=NOW)
    assert chunk.mark is not None
    assert len(chunk.mark) == MARK_BYTES
    assert Reached.of(chunk.mark) == Reached(BOOT, 3, 1)
    assert (chunk.transport, chunk.at, chunk.address) == ("kernel", NOW, bytes(16))
    assert Reached.of(bytes(MARK_BYTES)) is None


@pytest.fixture
def kmsg() -> Iterator[KernelLog]:
    """The kernel log of the machine that runs the tests."""
    try:
        opened = KernelLog()
    except KernelLogRefused as error:
        pytest.skip(str(error))
    yield opened
    opened.close()


def test_the_real_log_is_read_in_order_and_tells_who_wrote_what(kmsg: KernelLog) -> None:
    if not os.access(KMSG, os.W_OK):
        pytest.skip("needs leave to write into the kernel log")
    word = b"tscm-test-%d" % time.monotonic_ns()
    while kmsg.read(1000):
        continue
    KMSG.write_bytes(b"<4>%b%b\n" % (PREFIX, word))
    before, now = time.monotonic_ns() // 1000, None
    deadline = time.monotonic() + 20
    while now is None and time.monotonic() < deadline:
        kmsg.wait(0.1)
        found = kmsg.read(1000)
        assert [one.sequence for one in found] == sorted({one.sequence for one in found})
        now = next((one for one in found if word in one.message), None)
    assert now is not None
    assert not now.is_drop
    # The kernel's clock is the one that counts since the start: within a minute, whatever it does.
    assert abs(now.at - before) < 60_000_000


def test_a_log_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(KernelLogRefused, match="a container needs it passed in"):
        KernelLog(tmp_path / "kmsg")


def test_a_log_that_may_not_be_read_is_told_with_what_it_takes() -> None:
    """Without the capability, as the other processes of the appliance are."""
    program = (
        "from logs.receiver.kernel_log import KernelLog, KernelLogRefused\n"
        "try:\n    KernelLog()\nexcept KernelLogRefused as error:\n    print(error)\n"
    )
    done = subprocess.run(
        bounded(ORDINARY, (sys.executable, "-c", program)),
        cwd=CHECKOUT, capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    if not done.stdout:
        pytest.skip("everybody may read the kernel log here (kernel.dmesg_restrict)")
    assert "takes CAP_SYSLOG" in done.stdout or "there is no" in done.stdout


def test_which_start_of_the_machine_this_is() -> None:
    assert len(boot_id()) == 16
    assert re.fullmatch("[0-9a-f]{32}", boot_id().hex())


def test_a_read_that_fails_is_told_behind_what_was_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kmsg").touch()
    opened = KernelLog(tmp_path / "kmsg")
    record = b"4,1,2,-;message\n"
    results: Iterator[bytes | int] = iter(
        [record, errno.EPIPE, record, errno.EAGAIN, record, errno.EIO, errno.EIO]
    )

    def read(_fd: int, _size: int) -> bytes:
        result = next(results)
        if isinstance(result, int):
            raise OSError(result, os.strerror(result))
        return result

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", read)
        assert [len(opened.read(1_000)) for _ in range(2)] == [2, 1]
        with pytest.raises(KernelLogRefused, match="reading failed"):
            opened.read(1_000)
    opened.close()
