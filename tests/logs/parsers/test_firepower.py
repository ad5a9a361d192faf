"""Firepower's three bodies: which list, which end, what became of it."""

from __future__ import annotations

import pytest

from logs.parsers.base import NO_CONNECTION, NOT_OURS, Action, Side
from logs.parsers.firepower import parse
from tests.logs.parsers.lines import arrival, ends, event, read, verdict
from tests.logs.parsers.samples import FTD_BLOCK, SFIMS_LEGACY, SFIMS_PAIRS

BODY = FTD_BLOCK.partition(b"430002: ")[2]
PLAIN = b"%FTD-1-430002: " + BODY

HEADS = [
    b"", b"<113>", b"2026-03-01T01:02:36Z   ", b"<166>Mar 01 2026 01:02:36 fw-a : ",
    b"Mar  1 01:02:36 fw-a: ", b"<166>:Mar  1 01:02:36 UTC: ", b"<166>fw-a ", b"<133>:: ",
    b"2026-03-01T01:02:36Z fw-a Alerts ", b"<113>Mar  1 01:02:36 fw-a ftd[1234]: ",
    b"<113>Mar  1 01:02:36 fw-a our-tag: ",
]  # fmt: skip
TAGS = [b"%FTD-1-430002: ", b"%NGIPS-0-430003: ", b"%FTD--6-430003: ", b"%FTD<Up>-4-430002: ",
        b"%FTD-session-5-430003: ", b"%ASA-3-430002 ", b"%FTD-6-430002:"]  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("tag", TAGS)
def test_a_body_is_read_behind_every_head_and_tag(head: bytes, tag: bytes) -> None:
    found = event(head + tag + BODY)
    assert ends(found) == ("192.0.2.7", 40001, "198.51.100.9", 443, 6)
    assert verdict(found) == (Action.DROPPED, Side.DESTINATION, "our-block-feed")


def changed(line: bytes, **fields: str | None) -> bytes:
    """Return a key/value line with fields written otherwise, None for left out."""
    for key, value in fields.items():
        before, sign, behind = line.partition(f"{key}: ".encode())
        rest = behind.partition(b", ")[2]
        line = before + rest if value is None else before + sign + value.encode() + b", " + rest
    return line


D, M, A = Action.DROPPED, Action.MONITORED, Action.ALLOWED
# action, reason, category: what became of it, whether it is a hit
VERDICTS = [
    ("Block", "IP Block", "feed", D, True),
    ("Block with reset", "IP Block", "feed", D, True),
    ("Allow", "IP Block", "feed", D, True),  # contradictory: the reason counts
    ("Block", "IP Block", None, D, True),
    ("Allow", "IP Monitor", "feed", M, True),
    ("Trust", "IP Monitor", "feed", M, True),
    ("Block", "IP Monitor", "feed", D, True),  # let through by the list, then dropped by a rule
    ("Allow", "File Monitor, IP Monitor", "feed", M, True),
    ("Allow", None, "feed", M, True),
    ("Block", None, "feed", D, True),
    ("Allow", None, "None", A, False),
    ("Allow", None, None, A, False),
    ("Block", None, None, D, False),
    ("Interactive Block with reset", None, None, D, False),
    ("<br/>Block", None, None, D, False),
    ("Monitor", None, None, A, False),
    ("Trust", None, None, A, False),
    ("Fastpath", None, None, A, False),
    ("Allow", "Intrusion Monitor", None, A, False),
    ("Allow", "User Bypass", None, A, False),
    ("Block", "Intrusion Block", None, D, False),
    ("Allow", "Intrusion Block", None, A, False),  # would have been blocked
    (None, None, None, A, False),
]


@pytest.mark.parametrize(
    "line", [PLAIN, PLAIN.replace(b"430002", b"430003"), SFIMS_PAIRS], ids=["02", "03", "sfims"]
)
@pytest.mark.parametrize(("action", "reason", "category", "became", "is_hit"), VERDICTS)
def test_a_hit_is_known_by_reason_or_category_never_by_number_or_action(
    line: bytes, action: str | None, reason: str | None, category: str | None, became: Action,
    is_hit: bool,
) -> None:  # fmt: skip
    line += b", URLCategory: Unknown"
    line = changed(
        line, AccessControlRuleAction=action, AccessControlRuleReason=reason,
        IPReputationSICategory=category, AccessControlRuleName="Our rule",
    )  # fmt: skip
    found = event(line)
    assert found.action is became
    assert found.side is (Side.DESTINATION if is_hit else Side.UNSAID)
    if is_hit:
        assert found.said == (category or "")
    else:
        assert found.said == "Our rule"


@pytest.mark.parametrize(("kind", "key"), [("DNS", "DNSSICategory"), ("URL", "URLSICategory")])
def test_lists_of_names_and_urls_are_hits_too(kind: str, key: str) -> None:
    line = PLAIN.replace(b"IP Block", f"{kind} Block".encode()).replace(
        b"IPReputationSICategory", f"DNSQuery: www.example.com, {key}".encode()
    )
    assert verdict(event(line)) == (Action.DROPPED, Side.DESTINATION, "our-block-feed")


@pytest.mark.parametrize("answer", ["Sinkhole", "Domain Not Found", "Drop"])
def test_an_answer_that_keeps_a_name_from_being_reached_is_a_drop(answer: str) -> None:
    line = changed(PLAIN, AccessControlRuleAction=answer).replace(b"IP Block", b"DNS Block")
    assert event(line).action is Action.DROPPED


@pytest.mark.parametrize(
    ("said", "side"),
    [("Source", 1), ("destination", 2), ("None", 0), ("Both", 0), ("", 0)],
)
def test_the_matching_end_is_taken_from_the_line(said: str, side: int) -> None:
    assert event(changed(PLAIN, SecIntMatchingIP=said)).side == side


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("SrcPort", "70000", ("192.0.2.7", 0, "198.51.100.9", 443, 6)),
        ("DstPort", "http", ("192.0.2.7", 40001, "198.51.100.9", 0, 6)),
        ("SrcPort", None, ("192.0.2.7", 0, "198.51.100.9", 443, 6)),
        ("Protocol", "6", ("192.0.2.7", 40001, "198.51.100.9", 443, 6)),
        ("Protocol", "UDP", ("192.0.2.7", 40001, "198.51.100.9", 443, 17)),
        ("Protocol", "icmp", ("192.0.2.7", 0, "198.51.100.9", 0, 1)),
        ("Protocol", "IPv6-ICMP", ("192.0.2.7", 0, "198.51.100.9", 0, 58)),
        ("Protocol", "300", ("192.0.2.7", 40001, "198.51.100.9", 443, 255)),
        ("Protocol", "frobnicate", ("192.0.2.7", 40001, "198.51.100.9", 443, 255)),
        ("Protocol", None, ("192.0.2.7", 40001, "198.51.100.9", 443, 255)),
        ("SrcIP", "2001:db8::1", ("2001:db8::1", 40001, "198.51.100.9", 443, 6)),
        ("SrcIP", "::ffff:192.0.2.9", ("192.0.2.9", 40001, "198.51.100.9", 443, 6)),
    ],
)
def test_a_bad_field_drops_the_field_and_not_the_line(
    key: str, value: str | None, expected: tuple[object, ...]
) -> None:
    assert ends(event(changed(PLAIN, **{key: value}))) == expected


@pytest.mark.parametrize("key", ["SrcIP", "DstIP"])
@pytest.mark.parametrize("value", [None, "", "fw-a", "192.0.2.256", "192.0.2.07", "192.0.2"])
def test_without_both_addresses_it_is_no_connection(key: str, value: str | None) -> None:
    assert read(changed(PLAIN, **{key: value})) is NO_CONNECTION


@pytest.mark.parametrize("number", [b"430001", b"430004", b"430005", b"430009"])
def test_intrusions_files_and_malware_are_no_connections(number: bytes) -> None:
    assert read(FTD_BLOCK.replace(b"430002", number)) is NO_CONNECTION


@pytest.mark.parametrize(
    "body",
    [
        b"Correlation Event: pol/rule at Sun Mar  1 01:02:36 2026 UTC: 192.0.2.7 -> 198.51.100.9",
        b'[1:17279:12] "A rule" [Classification: x] [Priority: 1] {TCP} 192.0.2.7:1 -> 10.0.0.1:2',
        b"[Primary Detection Engine (x)][pol] Connection Type: Start, User: Unknown",
        b"[Primary Detection Engine (x)][pol] Connection Type: Start, {TCP} a:1 -> 192.0.2.1:2",
        b"Protocol: TCP, SrcPort: 1",
        b"",
    ],
)  # fmt: skip
def test_other_messages_of_sfims_are_no_connections(body: bytes) -> None:
    assert read(b"<113>Mar  1 01:02:36 fmc-a SFIMS: " + body) is NO_CONNECTION


@pytest.mark.parametrize("tag", [b"SFIMS: ", b"SFIMS : ", b"", b"our-tag: "])
def test_an_alert_response_may_be_tagged_otherwise(tag: bytes) -> None:
    found = event(SFIMS_PAIRS.replace(b"SFIMS: ", tag))
    assert ends(found) == ("192.0.2.7", 40001, "198.51.100.9", 443, 6)


def test_the_first_packets_time_counts_before_the_heads() -> None:
    at = arrival()
    first = event(FTD_BLOCK.replace(b"01:02:35Z", b"01:00:00Z"), at)
    assert first.at == at.at - 160_000_000
    unlikely = event(FTD_BLOCK.replace(b"2026-03-01T01:02:35Z", b"1970-01-01T00:00:00Z"), at)
    assert unlikely.at == at.at - 4_000_000
    assert event(PLAIN.replace(b"FirstPacketSecond: 2026", b"X: 2026"), at).at == at.at


@pytest.mark.parametrize(
    "key",
    ["SrcIP", "DstIP", "SrcPort", "DstPort", "Protocol", "IngressInterface", "InstanceID",
     "ConnectionID", "AccessControlRuleReason", "IPReputationSICategory"],
)  # fmt: skip
def test_a_key_that_is_not_known_yet_harms_no_other(key: str) -> None:
    line = PLAIN.replace(f"{key}: ".encode(), f"Novel Key: Block, b: c, {key}: ".encode())
    assert event(line) == event(PLAIN)


LEGACY_ENDS = [
    ("{TCP} 192.0.2.7:1 -> 198.51.100.9:2", ("192.0.2.7", 1, "198.51.100.9", 2, 6)),
    ("{UDP} 2001:db8::7:53 -> 2001:db8::9:53", ("2001:db8::7", 53, "2001:db8::9", 53, 17)),
    ("{ICMP} 192.0.2.7:8 -> 198.51.100.9:0", ("192.0.2.7", 0, "198.51.100.9", 0, 1)),
    ("{ICMP} 192.0.2.7 -> 198.51.100.9", ("192.0.2.7", 0, "198.51.100.9", 0, 1)),
    ("{IPV6-ICMP} 2001:db8::7 -> 2001:db8::9", ("2001:db8::7", 0, "2001:db8::9", 0, 58)),
    ("{TCP} 192.0.2.7:70000 -> 198.51.100.9:2", ("192.0.2.7", 0, "198.51.100.9", 2, 6)),
]


@pytest.mark.parametrize(("text", "expected"), LEGACY_ENDS)
def test_the_legacy_body_ends_with_both_ends(text: str, expected: tuple[object, ...]) -> None:
    front = SFIMS_LEGACY.rpartition(b"{")[0]
    assert ends(event(front + text.encode())) == expected


def test_a_legacy_line_without_a_hit_says_its_rule() -> None:
    line = SFIMS_LEGACY.replace(b"IP Block", b"Unknown").replace(b"IP: Source", b"IP: None")
    line = line.replace(b"our-block-feed", b"None").replace(b"Action: Block", b"Action: Allow")
    assert verdict(event(line)) == (Action.ALLOWED, Side.UNSAID, "Block all")


def test_other_lines_of_the_same_box_are_not_ours() -> None:
    assert parse(b"%ASA-6-302014: Teardown TCP connection 1", arrival()) is NOT_OURS
