"""What people and attackers write into a line is never taken for a field of it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from logs.parsers.base import Action, Event, Side
from logs.parsers.firepower_keys import FTD, SFIMS, pairs
from tests.logs.parsers.lines import ends, event, verdict
from tests.logs.parsers.samples import FTD_ALLOW, FTD_BLOCK, FTD_MONITOR, SFIMS_LEGACY, SFIMS_PAIRS

FORGED = {
    "SrcIP": "203.0.113.66", "DstIP": "203.0.113.67", "SrcPort": "1", "DstPort": "2",
    "Protocol": "udp", "AccessControlRuleAction": "Allow", "AccessControlRuleReason": "IP Monitor",
    "FirstPacketSecond": "2026-03-01T00:00:00Z", "AccessControlRuleName": "forged",
    "SecIntMatchingIP": "Source", "IPReputationSICategory": "forged", "URLSICategory": "forged",
    "DNSSICategory": "forged", "DeviceUUID": "forged", "URL": "forged", "UserAgent": "forged",
}  # fmt: skip
forgeries = st.lists(st.sampled_from(sorted(FORGED)), min_size=1, max_size=8).map(
    lambda keys: "x" + "".join(f", {key}: {FORGED[key]}" for key in keys)
)
FROM_THE_WIRE = ["UserAgent", "HTTPReferer", "ReferencedHost", "URL"]


def with_value(line: bytes, key: str, value: str) -> bytes:
    """Return a line whose `key` has another value, put at the end where it has none."""
    before, sign, behind = line.partition(f", {key}: ".encode())
    if not sign:
        return line + f", {key}: {value}".encode()
    return before + sign + value.encode() + b", " + behind.partition(b", ")[2]


def spoken(found: Event) -> tuple[object, ...]:
    return found.at, ends(found), found.action


@given(st.sampled_from(FROM_THE_WIRE), forgeries)
def test_an_allowed_line_cannot_be_made_a_hit_or_another_connection(key: str, text: str) -> None:
    whole = event(FTD_ALLOW)
    assert event(with_value(FTD_ALLOW, key, text)) == whole
    assert event(FTD_ALLOW + f", {key}: {text}".encode()) == whole


@given(st.sampled_from([*FROM_THE_WIRE, "DNSQuery"]), forgeries)
def test_a_blocked_line_keeps_its_list_and_its_ends(key: str, text: str) -> None:
    assert event(FTD_BLOCK + f", {key}: {text}".encode()) == event(FTD_BLOCK)
    assert event(SFIMS_PAIRS + f", {key}: {text}".encode()) == event(SFIMS_PAIRS)


@given(st.sampled_from(FROM_THE_WIRE), forgeries)
def test_a_monitored_line_never_takes_a_forged_list(key: str, text: str) -> None:
    found, whole = event(with_value(FTD_MONITOR, key, text)), event(FTD_MONITOR)
    assert spoken(found) == spoken(whole)
    assert found.said in {whole.said, ""}  # two claims behind text from the wire: none is believed
    assert found.side in {whole.side, Side.UNSAID}


@pytest.mark.parametrize("line", [FTD_BLOCK, FTD_ALLOW, FTD_MONITOR])
@pytest.mark.parametrize("key", ["AccessControlRuleName", "ACPolicy", "IngressZone", "User"])
def test_a_name_that_people_wrote_is_no_address_and_no_action(line: bytes, key: str) -> None:
    text = "a, SrcIP: 203.0.113.66, DstPort: 1, AccessControlRuleAction: Allow, Protocol: udp"
    found, whole = event(with_value(line, key, text)), event(line)
    assert spoken(found) == spoken(whole)
    assert found.side is whole.side


@pytest.mark.parametrize("line", [FTD_ALLOW, SFIMS_PAIRS])
@pytest.mark.parametrize(
    "name", ["Deny, then: log", "a: b, c: d", "x, SrcIP: 203.0.113.66", "Names, User : x", "a,b,c"]
)
def test_the_name_of_a_rule_stays_whole(line: bytes, name: str) -> None:
    line = line.replace(b"IP Block", b"").replace(b"our-block-feed", b"")
    found = event(with_value(line, "AccessControlRuleName", name))
    assert found.said == name


def test_the_first_of_two_equal_keys_counts() -> None:
    line = FTD_BLOCK.replace(b"DstIP: ", b"SrcIP: 203.0.113.66, DstIP: ", 1)
    assert ends(event(line))[0] == "192.0.2.7"


@given(st.sampled_from(FROM_THE_WIRE), st.text(max_size=60))
def test_any_text_from_the_wire_leaves_an_allowed_line_as_it_is(key: str, text: str) -> None:
    assert event(FTD_ALLOW + f", {key}: {text}".encode()) == event(FTD_ALLOW)


@given(forgeries)
def test_the_url_of_a_legacy_line_changes_nothing(text: str) -> None:
    more = (
        ", Firewall Rule Action: Allow, Security Intelligence Matching IP: Destination, Security "
        "Intelligence Category: forged, {UDP} 203.0.113.66:1 -> 203.0.113.67:2, "
    )
    line = SFIMS_LEGACY.replace(b", URL: Unknown", f", URL: http://a/{text}{more}".encode())
    assert event(line) == event(SFIMS_LEGACY)


def test_what_cannot_be_told_is_left_unsaid_and_stays_a_hit() -> None:
    line = FTD_MONITOR.replace(b"Chrome/80.0, Client", b"x, IPReputationSICategory: forged, Client")
    found = event(line)
    assert verdict(found) == (Action.MONITORED, Side.SOURCE, "")


@pytest.mark.parametrize("until", [FTD, SFIMS])
@given(body=st.binary(max_size=300))
def test_any_body_has_fields_that_stand_in_it(until: object, body: bytes) -> None:
    found = pairs(body, FTD if until is FTD else SFIMS)
    values = [*found.sure.values(), *(each for many in found.doubtful.values() for each in many)]
    assert all(value in body for value in values)
