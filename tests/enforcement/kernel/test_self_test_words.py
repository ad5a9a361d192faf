"""Which addresses a self-test takes, how it sums up, and how it reads a log of whatever kind."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.base import Content, Counters, Rules
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.kernel_log import KernelLog, message_of
from enforcement.kernel.self_test import (
    TEST_ADDRESS,
    SelfTest,
    Step,
    choose_listed,
    choose_unlisted,
    self_test,
)
from netsets.cidr import AddressSet

LOOPBACK = "127.0.0.1"
LIVE = Content(AddressSet.of(LOOPBACK), AddressSet.empty())


@pytest.mark.parametrize(
    ("listed", "chosen"),
    [
        (("64.87.3.128/28", "192.0.2.1"), TEST_ADDRESS),
        (("192.0.2.0/24", "198.51.100.7", "203.0.113.9"), "198.51.100.7"),
        (("192.0.2.0/24", "203.0.113.0/24"), "192.0.2.1"),
        (("192.0.2.0/31",), "192.0.2.1"),
        (("192.0.2.0/24", "2001:db8::5"), "192.0.2.1"),
        (("2001:db8::/64", "2001:db8:1::5"), "2001:db8:1::5"),
        (("2001:db8::/64",), "2001:db8::1"),
        ((), None),
    ],
)
def test_the_address_to_test_with_is_always_the_same(
    listed: tuple[str, ...], chosen: str | None
) -> None:
    block = AddressSet.of(*listed)
    assert choose_listed(block) == chosen
    assert chosen is None or chosen in block


def test_an_address_that_is_not_listed_is_near_or_nobodys() -> None:
    block = AddressSet.of("192.0.2.0/29", "198.51.100.1")
    assert choose_unlisted(block, near=["198.51.100.1", "fe80::1%eth0"]) == "fe80::1%eth0"
    assert choose_unlisted(block, near=["198.51.100.1"]) == "192.0.2.8"
    assert choose_unlisted(AddressSet.of("0.0.0.0/0")) is None


def test_the_result_is_that_of_the_worst_step() -> None:
    good, bad, dark = Step.passed("a", "."), Step.failed("b", "."), Step.untold("c", ".")
    assert SelfTest((good,)).ok is True
    assert SelfTest((good, dark)).ok is None
    assert SelfTest((good, dark, bad)).ok is False
    assert SelfTest((good, dark, bad)).summary == "not proven: b failed"
    assert SelfTest((good, dark)).summary == "not proven: c could not be told"


def test_a_log_that_cannot_be_read_leaves_its_step_open_with_the_reason(tmp_path: Path) -> None:
    test = self_test(
        listed=LOOPBACK,
        unlisted="fe80::1%nolink",
        rules=Rules(),
        live=LIVE,
        counters=Counters,
        now=datetime(2026, 11, 21, tzinfo=UTC),
        log=lambda: KernelLog(tmp_path / "kmsg"),
    )
    assert [step.ok for step in test.steps] == [True, False, False, None, None]
    assert "a container needs it passed in" in test.steps[3].seen
    assert "no packet could be sent" in test.steps[4].seen


def test_a_log_is_read_from_its_end_on_and_its_absence_is_told(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"
    with pytest.raises(EnforceUnavailable, match="there is no"):
        KernelLog(path)
    path.write_bytes(b"6,1,1,-;before\n")
    with KernelLog(path) as log:
        assert log.lines() == ()
        with path.open("ab") as file:
            file.write(b"6,2,2,-;after\n SUBSYSTEM=net\n")
        assert log.lines() == ("after",)
        assert log.lines() == ()


@given(st.binary(max_size=100))
def test_no_record_makes_the_reader_fail(record: bytes) -> None:
    assert "\n" not in message_of(record)
    assert message_of(b"6,1,2,-;" + record) == record.split(b"\n")[0].decode(errors="replace")
