"""What a kernel says that will not list or end connections: none such can be started here."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest

from enforcement.kernel import conntrack
from enforcement.kernel.conntrack import cut_connections
from enforcement.kernel.errors import EnforceRefused, EnforceUnavailable
from enforcement.kernel.netlink import NetlinkRefused
from netsets.cidr import AddressSet
from tests.enforcement.kernel.test_conntrack_wire import PLAIN, SIX

BLOCK = AddressSet.of("203.0.113.9", "2001:db8::9")


class Refusing:
    """A socket to a kernel that refuses a dump, or all deletions after the first."""

    def __init__(self, *, dump: int = 0, deletion: int = 0) -> None:
        self._dump, self._deletion = dump, deletion

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Nothing is held."""

    def dump(self, request: bytes) -> Iterator[memoryview]:
        """Yield two connections, unless the dump is refused."""
        if self._dump:
            raise NetlinkRefused(self._dump, 0)
        yield memoryview(PLAIN)
        yield memoryview(SIX)

    def answers(self, messages: Sequence[bytes]) -> list[int]:
        """Do the first."""
        return [0, *[self._deletion] * (len(messages) - 1)]


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that seems to track connections."""
    (tmp_path / "count").write_text("2\n")
    monkeypatch.setattr(conntrack, "COUNT", tmp_path / "count")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP])
def test_a_kernel_without_the_module_cuts_nothing_and_says_how_to_get_it(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conntrack, "Netlink", lambda: Refusing(dump=number))
    cut = cut_connections(BLOCK, allowed=AddressSet.empty())
    assert (cut.cut, cut.seen) == (0, 0)
    assert "Load it with modprobe" in cut.note


def test_a_refused_listing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "Netlink", lambda: Refusing(dump=errno.ENOMEM))
    with pytest.raises(EnforceRefused, match="cannot be listed: Cannot allocate memory"):
        cut_connections(BLOCK, allowed=AddressSet.empty())


def test_a_process_without_power_is_told_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "Netlink", lambda: Refusing(dump=errno.EPERM))
    with pytest.raises(EnforceUnavailable, match="CAP_NET_ADMIN"):
        cut_connections(BLOCK, allowed=AddressSet.empty())


def test_a_refused_cut_is_an_error_that_counts_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conntrack, "Netlink", lambda: Refusing(deletion=errno.EBUSY))
    with pytest.raises(EnforceRefused, match="1 of 2 open connections could not be cut, 1 were"):
        cut_connections(BLOCK, allowed=AddressSet.empty())


def test_a_connection_that_cannot_be_cut_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter([errno.EBUSY, 0])

    class OneByOne(Refusing):
        def answers(self, messages: Sequence[bytes]) -> list[int]:
            return [next(numbers) for _ in messages]

    monkeypatch.setattr(conntrack, "_DELETIONS", 1)
    monkeypatch.setattr(conntrack, "Netlink", OneByOne)
    with pytest.raises(EnforceRefused, match="1 of 2 open connections could not be cut, 1 were: D"):
        cut_connections(BLOCK, allowed=AddressSet.empty())


def test_a_connection_that_ended_meanwhile_is_counted_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conntrack, "Netlink", lambda: Refusing(deletion=errno.ENOENT))
    cut = cut_connections(BLOCK, allowed=AddressSet.empty())
    assert (cut.cut, cut.ended, cut.seen) == (1, 1, 2)
