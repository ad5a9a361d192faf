"""Alarms at a log server: lines of RFC 5424 that a real rsyslog takes apart again."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest
import trustme
from hypothesis import given as such, strategies

from policies.notices.base import NoticeRefused, NoticeUnavailable, NotifierMisconfigured
from policies.notices.syslog import SyslogNotifier, lines_of
from policies.sources.base import Deadline
from tests.fakes.foreground import free_port
from tests.fakes.rsyslog import Rsyslog, RsyslogTls, needs_rsyslog
from tests.logs.shippers.sinks import Sink, until
from tests.policies.notices.messages import NOW, message, news

# RFC 5424: its header, structured data of one element, and a message that says it is UTF-8.
LINE = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([!-~]{1,255}) tscm - (alarm|test) "
    rb'\[tscm@32473((?: [a-z]+="(?:[^"\\\]]|\\["\\\]])*")+)\] \xef\xbb\xbf([^\n]+)'
)


def notifier(port: int, protocol: str, **settings: object) -> SyslogNotifier:
    return SyslogNotifier.from_settings(
        {"host": "127.0.0.1", "port": port, "protocol": protocol, **settings}
    )


BOTH = message(news(7), news(8, event="closed", severity="warning"))
WANTED = b"".join(line + b"\n" for line in lines_of(BOTH, facility=16))


def tell(told: SyslogNotifier, *, seconds: float = 10.0) -> str:
    return told.tell(BOTH, now=NOW, deadline=Deadline.after(seconds))


def test_a_line_carries_its_parts_apart_and_in_words() -> None:
    line, over = lines_of(message(news(7), news(8, event="closed")), facility=16)
    found = LINE.fullmatch(line)
    assert found is not None
    assert found[1] == b"130"  # local0, critical
    assert found[2] == b"2026-11-21T10:00:00.000Z"
    for part in (b'event="opened"', b'alarm="7"', b'kind="stopped-pulling"',
                 b'severity="critical"', b'subject="device fmc-7"'):  # fmt: skip
        assert part in found[5]
    assert found[6].startswith(b"firewall stopped pulling: device fmc-7. It pulled last")
    assert over.startswith(b"<133>1 2026-11-21T12:00:00.000Z")
    assert b'closed="2026-11-21T12:00:00.000Z"' in over


@such(strategies.text(max_size=3_000), strategies.text(max_size=250))
def test_whatever_a_message_holds_a_line_is_one_whole_line(text: str, subject: str) -> None:
    (line,) = lines_of(message(news(1, message=text, subject=subject)), facility=23)
    assert len(line) <= 2_048
    assert b"\n" not in line
    assert b"\r" not in line
    assert line.decode("utf-8")
    assert LINE.match(line) is not None or len(line) > 2_000


@needs_rsyslog
def test_a_real_rsyslog_keeps_the_lines_that_came_by_udp_and_by_tcp() -> None:
    with Rsyslog() as server:
        for protocol in ("tcp", "udp"):
            said = tell(notifier(server.port, protocol))
            assert said == f"2 sent to 127.0.0.1:{server.port}/{protocol}"
        until(lambda: len(server.received) >= 2 * len(WANTED), server.log)
        assert sorted(server.received.splitlines()) == sorted((WANTED * 2).splitlines())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def over_tls(authority: trustme.CA) -> Iterator[Rsyslog]:
    with Rsyslog(tls=RsyslogTls(authority, authority.issue_cert("siem.example"))) as server:
        yield server


@needs_rsyslog
def test_a_real_rsyslog_keeps_the_lines_that_came_by_tls(
    over_tls: Rsyslog, authority: trustme.CA
) -> None:
    ca, wanted = authority.cert_pem.bytes().decode(), over_tls.received + WANTED
    said = tell(notifier(over_tls.port, "tls", ca=ca, server_name="siem.example"))
    assert said == f"2 sent to 127.0.0.1:{over_tls.port}/tls"
    until(lambda: len(over_tls.received) >= len(wanted), over_tls.log)
    assert over_tls.received == wanted


@needs_rsyslog
def test_a_server_that_cannot_prove_who_it_is_is_told_nothing(
    over_tls: Rsyslog, authority: trustme.CA
) -> None:
    ca, before = authority.cert_pem.bytes().decode(), over_tls.received
    with pytest.raises(NoticeRefused, match=r"not made out to 127\.0\.0\.1\. Give server_name"):
        tell(notifier(over_tls.port, "tls", ca=ca))
    with pytest.raises(NoticeRefused, match=r"was not accepted .*Give ca"):
        tell(notifier(over_tls.port, "tls", server_name="siem.example"))
    assert over_tls.received == before


def test_a_port_that_speaks_no_tls_is_told(authority: trustme.CA) -> None:
    greeting, words = b"220 hello, this is no TLS at all\r\n", "Check that the port speaks TLS"
    with Sink(greeting=greeting) as sink, pytest.raises(NoticeRefused, match=words):
        tell(notifier(sink.port, "tls"))


def test_nobody_there_is_told_and_tried_again() -> None:
    with pytest.raises(NoticeUnavailable, match=r"no connection .*Check that it listens"):
        tell(notifier(free_port(), "tcp"))


def test_a_server_that_never_reads_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        assert tell(notifier(silent.getsockname()[1], "tcp"), seconds=0.3).startswith("2 sent")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "host must be a text"),
        ({"host": "not a host"}, "host must be a host name or an address"),
        ({"host": "a.example", "protocol": "smoke"}, "protocol must be one of"),
        ({"host": "a.example", "port": 0}, "port must be a whole number"),
        ({"host": "a.example", "facility": 24}, "facility must be a whole number"),
        ({"host": "a.example", "colour": 1}, "'colour' is not a setting"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(
    given: dict[str, object], words: str
) -> None:
    with pytest.raises(NotifierMisconfigured, match=words):
        SyslogNotifier.from_settings(given)


def test_ports_are_those_of_the_protocol_unless_given() -> None:
    ports = {
        protocol: SyslogNotifier.from_settings({"host": "::1", "protocol": protocol}).port
        for protocol in ("udp", "tcp", "tls")
    }
    assert ports == {"udp": 514, "tcp": 514, "tls": 6514}
    assert str(SyslogNotifier.from_settings({"host": "::1"})) == "[::1]:514/udp"
