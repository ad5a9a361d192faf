"""TLS to a target: each fault is told for what it is, and nothing is sent to a wrong one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from logs.shippers.forward import Status
from logs.shippers.forward_target import Target
from tests.logs.shippers.forwards import done, failing, forwarding, local
from tests.logs.shippers.sinks import Sink, until
from tests.logs.spools import Filled, filled

NAME = "siem.example"


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Filled]:
    with filled(tmp_path / "spool") as made:
        made.count(100)
        yield made


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


def server(certificate: trustme.LeafCert, *, client: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if client is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        client.configure_trust(context)
    return context


def failed(spool: Filled, tmp_path: Path, target: Target) -> Status:
    """Return how a target does once something is wrong with it."""
    with forwarding(tmp_path / "cursors", spool.place, target) as forwarder:
        status = failing(forwarder, target)
    assert (status.sent, status.lag_lines) == (0, 100)
    return status


def test_lines_are_counted_on_the_wire(
    spool: Filled, tmp_path: Path, authority: trustme.CA, ca_file: Path
) -> None:
    with Sink(tls=server(authority.issue_cert(NAME))) as sink:
        target = local(sink.port, "tls", ca_file=ca_file, server_name=NAME)
        with forwarding(tmp_path / "cursors", spool.place, target) as forwarder:
            done(forwarder, target, sent=100)
        assert sink.received == b"".join(b"%d %b" % (len(line), line) for line in spool.lines)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_much_arrives_whole_over_tls(
    spool: Filled, tmp_path: Path, authority: trustme.CA, ca_file: Path, version: ssl.TLSVersion
) -> None:
    context = server(authority.issue_cert("127.0.0.1"))
    context.maximum_version = version
    spool.count(5_000, size=1_000)
    with Sink(tls=context) as sink:
        target = local(sink.port, "tls", ca_file=ca_file, framing="lf")
        with forwarding(tmp_path / "cursors", spool.place, target) as forwarder:
            done(forwarder, target, sent=5_100)
        until(lambda: len(sink.received) >= len(spool.text), lambda: len(sink.received))
        assert sink.received == spool.text


def test_an_authority_that_is_not_trusted_is_told(
    spool: Filled, tmp_path: Path, ca_file: Path
) -> None:
    with Sink(tls=server(trustme.CA().issue_cert("127.0.0.1"))) as sink:
        status = failed(spool, tmp_path, local(sink.port, "tls", ca_file=ca_file))
        assert "the certificate was not accepted (" in status.error
        assert "set the file of its authority; nothing was sent" in status.error
        assert sink.received == b""


def test_the_systems_authorities_are_trusted_where_no_other_is_named(
    spool: Filled, tmp_path: Path, authority: trustme.CA
) -> None:
    with Sink(tls=server(authority.issue_cert("127.0.0.1"))) as sink:
        status = failed(spool, tmp_path, local(sink.port, "tls"))
    assert "the certificate was not accepted (" in status.error


def test_a_certificate_for_another_name_is_told(
    spool: Filled, tmp_path: Path, authority: trustme.CA, ca_file: Path
) -> None:
    with Sink(tls=server(authority.issue_cert("other.example"))) as sink:
        target = local(sink.port, "tls", ca_file=ca_file, server_name=NAME)
        status = failed(spool, tmp_path, target)
    assert f"the certificate is not made out to {NAME}. Set the target by a name" in status.error


def test_a_certificate_that_has_ended_is_told(
    spool: Filled, tmp_path: Path, authority: trustme.CA, ca_file: Path
) -> None:
    ended = authority.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    with Sink(tls=server(ended)) as sink:
        status = failed(spool, tmp_path, local(sink.port, "tls", ca_file=ca_file))
    assert "has expired). Check the appliance's clock" in status.error


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", ["none", "of another authority"])
def test_a_target_that_refuses_our_certificate_is_told_and_no_line_is_lost(
    spool: Filled,
    tmp_path: Path,
    authority: trustme.CA,
    ca_file: Path,
    shown: str,
    version: ssl.TLSVersion,
) -> None:
    own: dict[str, Path] = {}
    if shown != "none":
        certificate = trustme.CA().issue_cert("appliance.example")
        own = {"certificate_file": tmp_path / "own.pem", "key_file": tmp_path / "own.key"}
        certificate.cert_chain_pems[0].write_to_path(own["certificate_file"])
        certificate.private_key_pem.write_to_path(own["key_file"])
    context = server(authority.issue_cert("127.0.0.1"), client=authority)
    context.maximum_version = version
    with Sink(tls=context) as sink:
        status = failed(spool, tmp_path, local(sink.port, "tls", ca_file=ca_file, **own))
        assert sink.received == b""
    if shown == "none" and version == ssl.TLSVersion.TLSv1_2:
        # All that a server says of it in that version.
        assert "TLS failed (sslv3 alert handshake failure)" in status.error
        assert "and whether it wants a certificate" in status.error
    else:
        assert "the target refused this appliance (" in status.error
        assert "Set a certificate that is signed by an authority the target" in status.error


def test_a_port_that_does_not_speak_tls_is_told(
    spool: Filled, tmp_path: Path, ca_file: Path
) -> None:
    with Sink(greeting=b"220 mail.example ESMTP\r\n") as sink:
        status = failed(spool, tmp_path, local(sink.port, "tls", ca_file=ca_file))
    assert "the port does not speak TLS. Check that the port speaks TLS" in status.error


def test_a_target_that_says_nothing_to_the_handshake_is_told(
    spool: Filled, tmp_path: Path, ca_file: Path
) -> None:
    with Sink(behaviour="ignore") as sink:
        status = failed(spool, tmp_path, local(sink.port, "tls", ca_file=ca_file))
    assert "127.0.0.1 did not answer in time. Check" in status.error


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_that_cannot_be_used_is_named(
    spool: Filled, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    status = failed(spool, tmp_path, local(1, "tls", ca_file=path))
    assert f"of {path} one cannot be used (" in status.error
    assert "Set files in PEM form that the forwarder may read" in status.error
