"""Zones over TLS: taken from whom they should be, and each fault told for what it is."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dns.message
import pytest
import trustme

from netsets.cidr import AddressSet
from policies.sources.base import SourceError
from policies.sources.zone_errors import (
    CertificateExpired,
    CertificateForOther,
    CertificateUntrusted,
    EndedEarly,
    NoHandshake,
    NotForDns,
    NoTls,
    TlsFailed,
)
from policies.sources.zone_tls import Tls
from tests.fakes.authority import write_zone
from tests.fakes.bind import Bind, BindMissing, BindTls
from tests.fakes.nameserver import CLOSE, Nameserver, Step
from tests.fakes.transfers import ZONE, ServedZone
from tests.fakes.tsig import TsigKey
from tests.policies.sources.zones import addresses, transfer

KEY = TsigKey()
RECORDS = [f"a{number}.{ZONE}. A 192.0.2.{number}" for number in range(1, 9)]
WHOLE = AddressSet.of("192.0.2.1-192.0.2.8")
NAME = "dns.example"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def context(certificate: trustme.LeafCert, *, alpn: str = "dot") -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    if alpn:
        made.set_alpn_protocols([alpn])
    return made


@contextmanager
def served(tls: ssl.SSLContext | None) -> Iterator[str]:
    with Nameserver(ServedZone(records=RECORDS), tls=tls) as nameserver:
        yield nameserver.server


@pytest.mark.parametrize("name", [NAME, ""], ids=["by name", "by address"])
def test_takes_a_zone_from_a_server_with_the_right_certificate(
    authority: trustme.CA, name: str
) -> None:
    with served(context(authority.issue_cert(NAME, "127.0.0.1"))) as server:
        retrieved = transfer(server, tls=True, tls_ca=pem(authority), tls_name=name)
    assert addresses(retrieved) == WHOLE


def test_takes_a_zone_from_bind_over_tls(authority: trustme.CA, tmp_path: Path) -> None:
    certificate = authority.issue_cert(NAME)
    files = BindTls(tmp_path / "certificate", tmp_path / "key")
    certificate.private_key_pem.write_to_path(files.key)
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(files.certificate, append=True)
    zone = write_zone(tmp_path / "zone", [f"a{n} A 192.0.2.{n}" for n in range(1, 9)])
    try:
        bind = Bind({ZONE: zone}, keys=[KEY], tls=files)
    except BindMissing as error:
        pytest.skip(str(error))
    trust: dict[str, Any] = {"tls": True, "tls_ca": pem(authority), "tls_name": NAME}
    with bind:
        first = transfer(bind.tls_server, **trust, **KEY.settings)
        assert addresses(first) == WHOLE
        bind.change(ZONE, KEY, delete=["a1 A 192.0.2.1"])
        second = transfer(bind.tls_server, known=first, **trust, **KEY.settings)
        assert addresses(second) == WHOLE - AddressSet.of("192.0.2.1")


def _untrusted(_: trustme.CA) -> ssl.SSLContext:
    return context(trustme.CA().issue_cert(NAME))


def _expired(authority: trustme.CA) -> ssl.SSLContext:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    return context(authority.issue_cert(NAME, not_after=past))


def _for_other(authority: trustme.CA) -> ssl.SSLContext:
    return context(authority.issue_cert("other.example"))


def _of_the_web(authority: trustme.CA) -> ssl.SSLContext:
    return context(authority.issue_cert(NAME), alpn="http/1.1")


def _without_alpn(authority: trustme.CA) -> ssl.SSLContext:
    return context(authority.issue_cert(NAME), alpn="")


def _old(authority: trustme.CA) -> ssl.SSLContext:
    made = context(authority.issue_cert(NAME))
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    return made


def _plain(_: trustme.CA) -> None:
    return None


@pytest.mark.parametrize(
    ("make", "fault", "reason"),
    [
        (_untrusted, CertificateUntrusted, "the certificate is not trusted"),
        (_expired, CertificateExpired, "certificate has expired"),
        (_for_other, CertificateForOther, f"not made out to {NAME}"),
        (_of_the_web, NotForDns, "does not agree to DNS over TLS"),
        (_without_alpn, NotForDns, "does not agree to DNS over TLS"),
        (_old, TlsFailed, "the TLS handshake failed"),
        (_plain, NoHandshake, "the TLS handshake was not answered in time"),
    ],
)
def test_a_fault_of_tls_is_told_for_what_it_is(
    authority: trustme.CA,
    make: Callable[[trustme.CA], ssl.SSLContext | None],
    fault: type[SourceError],
    reason: str,
) -> None:
    with served(make(authority)) as server, pytest.raises(fault, match=reason):
        transfer(server, tls=True, tls_ca=pem(authority), tls_name=NAME, seconds=2)


def test_a_certificate_of_nobody_the_system_trusts_is_refused(authority: trustme.CA) -> None:
    with (
        served(context(authority.issue_cert(NAME))) as server,
        pytest.raises(CertificateUntrusted),
    ):
        transfer(server, tls=True, tls_name=NAME)


def test_a_transfer_that_ends_early_over_tls_changes_nothing(authority: trustme.CA) -> None:
    def handle(query: dns.message.Message) -> list[Step]:
        steps = list(ServedZone(records=RECORDS)(query))
        return steps if len(steps) == 1 else [*steps[:-1], CLOSE]

    tls = context(authority.issue_cert(NAME))
    with (
        Nameserver(handle, tls=tls) as nameserver,
        pytest.raises(EndedEarly),
    ):
        transfer(nameserver.server, tls=True, tls_ca=pem(authority), tls_name=NAME)


def test_a_server_of_another_protocol_is_told_for_what_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(b"220 mail.example ESMTP\r\n")
                client.recv(1 << 16)

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(NoTls, match="the port does not speak TLS"):
            transfer(f"127.0.0.1:{listener.getsockname()[1]}", tls=True, tls_name=NAME)
        thread.join(5)


def test_a_network_that_goes_away_in_the_handshake_is_a_fault_of_the_server() -> None:
    class Away(ssl.SSLContext):
        def wrap_socket(self, *_: object, **__: object) -> ssl.SSLSocket:
            raise OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))

    with socket.socket() as sock, pytest.raises(NoHandshake, match="No route to host"):
        Tls(Away(ssl.PROTOCOL_TLS_CLIENT), NAME).wrap(sock, host=NAME, about="192.0.2.53#853")
