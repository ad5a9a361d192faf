"""Lines forwarded to a real rsyslog: what is in its file is what is in the spool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.fakes.foreground import free_port
from tests.fakes.rsyslog import Onward, Rsyslog, RsyslogSender, RsyslogTls, needs_rsyslog
from tests.logs.shippers.forwards import done, failing, forwarding, local
from tests.logs.shippers.sinks import Sink, until
from tests.logs.spools import Filled, filled

NAME = "siem.example"
# Every byte but NUL, which rsyslog does not keep, LF, which ends a line, and the BOM's likeness.
BINARY = b"<134>binary " + bytes(byte for byte in range(1, 256) if byte != 10)
LINES = (
    b"<113>Mar  1 01:02:36 fmc-a SFIMS: Protocol: TCP, SrcIP: 192.0.2.7",
    b'<134>1 2026-03-01T01:02:36Z fw-a app 7 id [x@32473 a="b"] text',
    b"no header at all",
    BINARY,
    b"<134>carriage return\r",
    b"<134>" + b"long " * 12_000,
    "<134>gr\u00fc\u00dfe".encode(),
)

pytestmark = needs_rsyslog


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Filled]:
    with filled(tmp_path / "spool") as made:
        yield made


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def write(folder: Path, authority: trustme.CA) -> Path:
    """Write an authority's certificate, and return where."""
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


def write_own(folder: Path, certificate: trustme.LeafCert) -> dict[str, Path]:
    """Write the forwarder's own certificate and key; return them as settings of a target."""
    paths = {"certificate_file": folder / "own.pem", "key_file": folder / "own.key"}
    certificate.cert_chain_pems[0].write_to_path(paths["certificate_file"])
    certificate.private_key_pem.write_to_path(paths["key_file"])
    return paths


def awaited(rsyslog: Rsyslog, text: bytes) -> None:
    until(
        lambda: len(rsyslog.received) >= len(text), lambda: (rsyslog.received[-99:], rsyslog.log())
    )
    assert rsyslog.received == text


@pytest.mark.parametrize(("protocol", "framing"), [("tcp", "lf"), ("tcp", "octets"), ("udp", None)])
def test_lines_arrive_byte_for_byte(
    spool: Filled, tmp_path: Path, protocol: str, framing: str | None
) -> None:
    with Rsyslog() as rsyslog:
        target = local(rsyslog.port, protocol, framing=framing, most_datagram=65_507)
        with forwarding(tmp_path / "cursors", spool.place, target):
            spool.append(*LINES)
            spool.count(2_000)
            spool.rotate()
            spool.count(2_000)
            awaited(rsyslog, spool.text)


def test_lines_arrive_byte_for_byte_over_tls(
    spool: Filled, tmp_path: Path, authority: trustme.CA
) -> None:
    tls = RsyslogTls(authority, authority.issue_cert(NAME))
    with Rsyslog(tls=tls) as rsyslog:
        target = local(rsyslog.port, "tls", ca_file=write(tmp_path, authority), server_name=NAME)
        with forwarding(tmp_path / "cursors", spool.place, target):
            spool.append(*LINES, b"2026-03-01 begins with a digit")
            spool.count(5_000, size=400)
            awaited(rsyslog, spool.text)


def test_a_target_that_demands_a_certificate_gets_ours(
    spool: Filled, tmp_path: Path, authority: trustme.CA
) -> None:
    tls = RsyslogTls(authority, authority.issue_cert("127.0.0.1"), is_client_known=True)
    own = write_own(tmp_path, authority.issue_cert("appliance.example"))
    with Rsyslog(tls=tls) as rsyslog:
        target = local(rsyslog.port, "tls", ca_file=write(tmp_path, authority), **own)
        with forwarding(tmp_path / "cursors", spool.place, target):
            spool.append(*LINES)
            awaited(rsyslog, spool.text)


@pytest.mark.parametrize("shown", ["none", "of another authority"])
def test_a_target_that_refuses_our_certificate_gets_nothing_and_loses_nothing(
    spool: Filled, tmp_path: Path, authority: trustme.CA, shown: str
) -> None:
    tls = RsyslogTls(authority, authority.issue_cert("127.0.0.1"), is_client_known=True)
    own: dict[str, Path] = {}
    if shown != "none":
        own = write_own(tmp_path, trustme.CA().issue_cert("appliance.example"))
    with Rsyslog(tls=tls) as rsyslog:
        target = local(rsyslog.port, "tls", ca_file=write(tmp_path, authority), **own)
        spool.count(500)
        with forwarding(tmp_path / "cursors", spool.place, target) as forwarder:
            status = failing(forwarder, target)
        assert rsyslog.received == b""
    # rsyslog may close without a word.
    refused = ("refused this appliance" in status.error, "as soon as it was made" in status.error)
    assert any(refused), status.error
    assert (status.sent, status.lag_lines) == (0, 500)


def test_lines_tell_their_sender_to_rsyslog_which_reads_it(spool: Filled, tmp_path: Path) -> None:
    with Rsyslog() as rsyslog:
        target = local(rsyslog.port, preserve="structured-data")
        with forwarding(tmp_path / "cursors", spool.place, target):
            spool.append(b"<113>Mar  1 01:02:36 fmc-a SFIMS: text", sender="2001:db8::7")
            awaited(
                rsyslog,
                b"<113>1 2026-03-01T01:02:36.123456Z 2001:db8::7 - - - "
                b'[tscm@32473 from="2001:db8::7" at="2026-03-01T01:02:36.123456Z"] '
                b"<113>Mar  1 01:02:36 fmc-a SFIMS: text\n",
            )


def test_lines_wait_while_rsyslog_is_restarted_twice(spool: Filled, tmp_path: Path) -> None:
    target = local(free_port())
    with forwarding(tmp_path / "cursors", spool.place, target) as forwarder:
        for round_ in range(3):
            spool.count(1_000)
            spool.rotate()
            failing(forwarder, target)
            with Rsyslog(port=target.port) as rsyslog:
                awaited(rsyslog, b"".join(b"%b\n" % line for line in spool.lines[-1_000:]))
                done(forwarder, target, sent=1_000 * (round_ + 1))


def test_rsyslog_passes_lines_on_to_a_sink() -> None:
    with Sink() as sink, RsyslogSender(Onward(sink.port, "tcp")) as sender:
        sender.send(b"<134>one", b"<134>two")
        until(
            lambda: b"<134>one\n<134>two\n" in sink.received, lambda: (sink.received, sender.log())
        )


def test_rsyslog_passes_lines_on_over_tls(tmp_path: Path, authority: trustme.CA) -> None:
    tls = RsyslogTls(authority, authority.issue_cert(NAME))
    with Rsyslog(tls=tls) as receiver:
        onward = Onward(receiver.port, "tls", write(tmp_path, authority), NAME)
        with RsyslogSender(onward) as sender:
            sender.send(b"<134>one", b"<134>two")
            awaited(receiver, b"<134>one\n<134>two\n")
