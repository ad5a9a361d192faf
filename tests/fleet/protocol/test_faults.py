"""Each fault of a server in the words of the manual, and what it means to whoever tries again."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleet.protocol.base import Portal
from fleet.protocol.errors import CONNECT, REPORT, RETRIEVE, WebAutomationError
from fleet.protocol.faults import _MEANINGS, not_reported, not_retrieved
from policies.sources.dns_errors import DnsFault, Refused, TooLarge, Unreachable
from policies.sources.zone_errors import CertificateExpired, KeyRefused, WrongTime

MANUAL = Path(__file__).parents[3] / "docs" / "web-automation.md"
PORTAL = Portal("2001:db8::53")


def faults(kind: type[DnsFault] = DnsFault) -> list[type[DnsFault]]:
    """Return every class of fault there is."""
    return [kind, *(below for child in kind.__subclasses__() for below in faults(child))]


@pytest.mark.parametrize("kind", faults(), ids=lambda kind: kind.__name__)
def test_every_fault_says_what_failed_where_and_what_to_do(kind: type[DnsFault]) -> None:
    fetching = not_retrieved([kind("the cause")], portal=PORTAL, device_id="gw1")
    reporting = not_reported([kind("the cause")], portal=PORTAL, device_id="gw1")
    assert str(fetching).startswith((CONNECT, RETRIEVE))
    assert str(reporting).startswith((CONNECT, REPORT))
    assert fetching.may_pass == reporting.may_pass
    for error in (fetching, reporting):
        assert isinstance(error, WebAutomationError)
        assert "[2001:db8::53]:5353" in str(error)
        assert "the cause" in str(error) or "clocks" in str(error)
        assert str(error).endswith(".")
        assert "{" not in str(error)


def test_every_cause_stands_in_the_manual() -> None:
    section = MANUAL.read_text(encoding="utf-8").split("\n## Errors\n")[1].split("\n## ")[0]
    causes = {meaning.cause.format(device="\u2026") for meaning in _MEANINGS.values()}
    assert {cause for cause in causes if cause not in section} == set()
    for beginning in (CONNECT, RETRIEVE, REPORT):
        assert beginning in section


def test_all_addresses_are_named_where_none_was_reached() -> None:
    error = not_retrieved(
        [Unreachable("192.0.2.1#5353: no route"), CertificateExpired("192.0.2.2#5353: expired")],
        portal=PORTAL,
        device_id="gw1",
    )
    assert "192.0.2.1#5353: no route; 192.0.2.2#5353: expired. Check that firewalls" in str(error)


def test_who_answered_tells_more_than_who_did_not() -> None:
    told = [Unreachable("a"), KeyRefused("b"), Refused("c")]
    assert "(b)" in str(not_retrieved(told, portal=PORTAL, device_id="gw1"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3700.4, "the clock here is 3,700 seconds ahead of the portal's"),
        (-301.0, "the clock here is 301 seconds behind the portal's"),
        (None, "the clocks here and at the portal differ too much"),
    ],
)
def test_a_wrong_clock_is_told_in_seconds(seconds: float | None, words: str) -> None:
    fault = WrongTime("x", seconds=seconds)
    assert words in str(not_retrieved([fault], portal=PORTAL, device_id="gw1"))
    assert words in str(not_reported([fault], portal=PORTAL, device_id="gw1"))


def test_a_long_reason_is_cut() -> None:
    assert len(str(not_retrieved([TooLarge("x" * 9999)], portal=PORTAL, device_id="g1"))) < 1000
