"""ASA's messages, each with its own form; and IOS."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from logs.parsers.base import NO_CONNECTION, Action, Event, Side
from tests.logs.parsers.lines import ends, event, read, verdict

D, M, A = Action.DROPPED, Action.MONITORED, Action.ALLOWED
HEAD = "<164>Mar 01 2026 01:02:36 fw-a : "
TCP = ("192.0.2.7", 4001, "198.51.100.9", 25, 6)
UDP = (*TCP[:4], 17)
ICMP = ("192.0.2.7", 0, "198.51.100.9", 0, 1)
BARE = ("192.0.2.7", 0, "198.51.100.9", 0, 6)
ANY = (*BARE[:4], 255)

MESSAGES: list[tuple[str, tuple[object, ...], Action, str]] = [
    (("2-106001: Inbound TCP connection denied from 192.0.2.7/4001 to 198.51.100.9/25 flags SYN "
     "on interface outside"), TCP, D, ""),
    ("2-106006: Deny inbound UDP from 192.0.2.7/4001 to 198.51.100.9/25 on interface outside",
     UDP, D, ""),
    ("2-106007: Deny inbound UDP from 192.0.2.7/4001 to 198.51.100.9/25 due to DNS Query",
     UDP, D, ""),
    ("3-106010: Deny inbound tcp src outside:192.0.2.7/4001 dst inside:198.51.100.9/25",
     TCP, D, ""),
    ("3-106011: Deny inbound (No xlate) tcp src outside:192.0.2.7/4001 dst inside:198.51.100.9/25",
     TCP, D, ""),
    ("6-106012: Deny IP from 192.0.2.7 to 198.51.100.9, IP options hex", ANY, D, ""),
    ("3-106014: Deny inbound icmp src outside:192.0.2.7 dst inside:198.51.100.9 (type 8, code 0)",
     ICMP, D, ""),
    ("3-106014: Deny inbound icmp src fw1:192.0.2.7 dst fw1:198.51.100.9(type 8, code 0)",
     ICMP, D, ""),
    (("6-106015: Deny TCP (no connection) from 192.0.2.7/4001 to 198.51.100.9/25 flags RST on "
     "interface outside"), TCP, D, ""),
    ("2-106016: Deny IP spoof from (192.0.2.7) to 198.51.100.9 on interface outside", ANY, D, ""),
    ("2-106017: Deny IP due to Land Attack from 192.0.2.7 to 198.51.100.9", ANY, D, ""),
    ("2-106020: Deny IP teardrop fragment (size = 1, offset = 2) from 192.0.2.7 to 198.51.100.9",
     ANY, D, ""),
    ("1-106021: Deny TCP reverse path check from 192.0.2.7 to 198.51.100.9 on interface outside",
     BARE, D, ""),
    (('4-106023: Deny tcp src outside:192.0.2.7/4001 dst inside:198.51.100.9/25 by access-group '
     '"ACL_1:DMZ" [0x0, 0x0]'), TCP, D, "ACL_1:DMZ"),
    (('4-106023: Deny tcp src outside:192.0.2.7/4001(LOCAL\\a b, 9:sgt) dst inside:198.51.100.9/25'
     '(LOCAL\\c) by access-group "acl"'), TCP, D, "acl"),
    (('4-106023: Deny icmp src outside:192.0.2.7 dst inside:198.51.100.9 (type 3, code 1) by '
     'access-group "acl" [0x0, 0x0]'), ICMP, D, "acl"),
    (('4-106023: Deny protocol 103 src outside:192.0.2.7 dst inside:198.51.100.9 by access-group '
     '"acl"'), (*BARE[:4], 103), D, "acl"),
    ("4-106023: Deny udp src o:2001:db8::7/4001 dst i:2001:db8::9/53 by access-group \"acl\"",
     ("2001:db8::7", 4001, "2001:db8::9", 53, 17), D, "acl"),
    (("6-106100: access-list acl denied tcp outside/192.0.2.7(4001) -> inside/198.51.100.9(25) "
     "hit-cnt 1 first hit [0x62c4905, 0x0]"), TCP, D, "acl"),
    (("6-106100: access-list acl permitted tcp outside/192.0.2.7(4001)(LOCAL\\a) -> "
     "inside/198.51.100.9(25) hit-cnt 1 300-second interval [0x0, 0x0]"), TCP, A, "acl"),
    ("6-106100: access-list acl est-allowed tcp o/192.0.2.7(4001) -> i/198.51.100.9(25) hit-cnt 1",
     TCP, A, "acl"),
    ("6-106100: access-list acl denied icmp o/192.0.2.7(8) -> i/198.51.100.9(0) hit-cnt 1",
     ICMP, D, "acl"),
    (("6-106102: access-list acl permitted tcp for user bob o/192.0.2.7(4001) -> "
     "i/198.51.100.9(25) hit-cnt 1"), TCP, A, "acl"),
    (("6-302013: Built inbound TCP connection 11757 for outside:192.0.2.7/4001 (192.0.2.7/4001) to "
     "inside:198.51.100.9/25 (203.0.113.5/25)"), TCP, A, ""),
    (("6-302013: Built outbound TCP connection 11757 for outside:198.51.100.9/25 (198.51.100.9/25) "
     "to inside:192.0.2.7/4001 (203.0.113.5/9999)"), TCP, A, ""),
    (("6-302015: Built outbound UDP connection 2234 for outside:198.51.100.9/25 (198.51.100.9/25)"
     "(LOCAL\\a) to inside:192.0.2.7/4001 (192.0.2.7/4001) fw-host"), UDP, A, ""),
    (("6-302020: Built inbound ICMP connection for faddr 192.0.2.7/18425 gaddr 203.0.113.5/0 laddr "
     "198.51.100.9/0"), ICMP, A, ""),
    (("6-302020: Built outbound ICMP connection for faddr 198.51.100.9/0 gaddr 203.0.113.5/1 laddr "
     "192.0.2.7/1"), ICMP, A, ""),
    (("5-305013: Asymmetric NAT rules matched for forward and reverse flows; Connection for tcp "
     "src o:192.0.2.7/4001(LOCAL\\a) dst i:198.51.100.9/25 denied due to NAT reverse path failure"),
     TCP, D, ""),
    (("4-313004: Denied ICMP type=0, from laddr 192.0.2.7 on interface inside to 198.51.100.9: no "
     "matching session"), ICMP, D, ""),
    (("4-313005: No matching connection for ICMP error message: icmp src o:192.0.2.7 dst "
     "i:198.51.100.9 (type 3, code 3) on outside interface.  Original IP payload: udp src "
     "198.51.100.9/53 dst 203.0.113.66/10872."), ICMP, D, ""),
    (("4-338006: Dynamic Filter dropped blacklisted TCP traffic from inside:192.0.2.7/4001 "
     "(203.0.113.5/4001) to outside:198.51.100.9/25 (198.51.100.9/25), destination 198.51.100.9 "
     "resolved from dynamic list: bad.example, threat-level: high, category: Malware"),
     TCP, D, "Malware"),
    (("4-338002: Dynamic filter monitored blacklisted TCP traffic from inside:192.0.2.7/4001 "
     "(203.0.113.5/4001) to outside:198.51.100.9/25 (198.51.100.9/25), destination 198.51.100.9 "
     "resolved from local list: bad.example"), TCP, M, "blacklisted"),
    ("4-401004: Shunned packet: 192.0.2.7 ==> 198.51.100.9 on interface outside", ANY, D, ""),
    (("4-419001: Dropping TCP packet from outside:192.0.2.7/4001 to inside:198.51.100.9/25, "
     "reason: MSS exceeded, MSS 1380, data 1460"), TCP, D, ""),
    ("7-710001: TCP access requested from 192.0.2.7/4001 to inside:198.51.100.9/25", TCP, A, ""),
    ("7-710002: TCP access permitted from 192.0.2.7/4001 to inside:198.51.100.9/25", TCP, A, ""),
    ("3-710003: TCP access denied by ACL from 192.0.2.7/4001 to outside:198.51.100.9/25",
     TCP, D, ""),
    ("7-710005: UDP request discarded from 192.0.2.7/4001 to outside:198.51.100.9/25", UDP, D, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "both", "action", "said"), MESSAGES, ids=[row[0][:32] for row in MESSAGES]
)
@pytest.mark.parametrize("product", ["ASA-", "FTD-", "FTD<Up>-", "FWSM-"])
def test_each_message_is_read_by_its_own_form(
    product: str, message: str, both: tuple[object, ...], action: Action, said: str
) -> None:
    found = event(f"{HEAD}%{product}{message}".encode())
    assert ends(found) == both
    assert (found.action, found.said) == (action, said)


def test_the_botnet_filter_says_which_end_it_matched() -> None:
    message = next(row[0] for row in MESSAGES if row[0].startswith("4-338006"))
    line = f"%ASA-{message}".encode()
    assert event(line).side is Side.DESTINATION
    assert event(line.replace(b", destination", b", source")).side is Side.SOURCE


@pytest.mark.parametrize(
    "message",
    [
        "4-106023: Deny tcp src outside:192.0.2.7/1 dst inside:www.example.com/23 by access-group",
        "4-106023: Deny tcp src outside:192.0.2.7/1",
        "4-106023: something else",
        "6-302014: Teardown TCP connection 1 for outside:192.0.2.7/1 to inside:198.51.100.9/2",
        "3-313001: Denied ICMP type=3, code=3 from 192.0.2.7 on interface outside",
        "5-111010: User 'a', running 'CLI' from IP 192.0.2.7, executed 'x from 1.1.1.1 to 2.2.2.2'",
        "5-304001: 192.0.2.7 Accessed URL 198.51.100.9:http://a/Deny tcp src a:192.0.2.1/1 dst b:2",
    ],
)
def test_what_names_no_two_addresses_or_tells_of_something_else_is_none(message: str) -> None:
    assert read(f"{HEAD}%ASA-{message}".encode()) is NO_CONNECTION


@given(st.text(max_size=40), st.integers(0, 99_999))
def test_ports_and_users_out_of_bounds_harm_nothing(user: str, port: int) -> None:
    line = f"%ASA-4-106023: Deny tcp src o:192.0.2.7/{port}({user}) dst i:198.51.100.9/25 by a"
    found = read(line.encode())
    if not set("()") & set(user):
        assert ends(event(line.encode()))[1] == (port if port <= 65_535 else 0)
    elif isinstance(found, Event):
        assert ends(found)[0] == "192.0.2.7"


@pytest.mark.parametrize(
    ("message", "both", "action", "said"),
    [
        ("%SEC-6-IPACCESSLOGP: list 102 denied tcp 192.0.2.7(4001) -> 198.51.100.9(25), 1 packet",
         TCP, D, "102"),
        (("%SEC-6-IPACCESSLOGP: list in permitted udp 192.0.2.7(4001) (Gi0/1 0200.0000.0001) -> "
         "198.51.100.9(25), 3 packets"), UDP, A, "in"),
        ("%SEC-6-IPACCESSLOGDP: list in denied icmp 192.0.2.7 -> 198.51.100.9 (8/0), 1 packet",
         ICMP, D, "in"),
        (("%IPV6_ACL-6-ACCESSLOGP: list in/20 denied tcp 2001:db8::7(4001) -> 2001:db8::9(25), 1 "
         "packet"), ("2001:db8::7", 4001, "2001:db8::9", 25, 6), D, "in/20"),
        (("%FMANFP-6-IPACCESSLOGP: SIP0: fman_fp_image:  list in denied udp 192.0.2.7(4001) Gi0/1"
         "-> 198.51.100.9(25), 1 packet"), UDP, D, "in"),
    ],
)  # fmt: skip
def test_ios_says_which_entry_of_an_access_list(
    message: str, both: tuple[object, ...], action: Action, said: str
) -> None:
    found = event(f"<189>32: fw-a: *Mar  1 01:02:36.411: {message}".encode())
    assert ends(found) == both
    assert verdict(found) == (action, Side.UNSAID, said)


def test_other_messages_of_ios_are_none() -> None:
    assert read(b"%SEC-6-IPACCESSLOGRL: access-list logging rate-limited") is NO_CONNECTION
