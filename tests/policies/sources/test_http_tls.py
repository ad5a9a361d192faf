"""Certificates: the server's, and ours."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme

from policies.sources.base import SourceError, SourceMisconfigured
from policies.sources.http_errors import (
    CertificateExpired,
    CertificateUntrusted,
    CertificateWrongName,
    CutShort,
    RedirectRefused,
    TlsFailed,
)
from tests.fakes.webserver import Reply, Request, WebServer, redirect, text
from tests.policies.sources.web import body_of, retrieve, server_tls, source_at

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def a_list(_: Request) -> Reply:
    return text("192.0.2.1")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_certificate_is_verified_for_the_name_in_the_url(
    authority: trustme.CA, ca: str, name: str
) -> None:
    with WebServer(a_list, tls=server_tls(authority.issue_cert(name))) as server:
        assert body_of(retrieve(server, ca=ca, url=server.url(host=name))) == b"192.0.2.1\n"
        other = ({"127.0.0.1", "localhost"} - {name}).pop()
        with pytest.raises(CertificateWrongName, match=rf"^{other}: the certificate was not"):
            retrieve(server, ca=ca, url=server.url(host=other))
    assert len(server.requests) == 1


def test_a_server_with_an_ipv6_address_is_verified_by_it(authority: trustme.CA, ca: str) -> None:
    certificate = server_tls(authority.issue_cert("::1"))
    with WebServer(a_list, tls=certificate, host="::1") as server:
        retrieved = retrieve(server, ca=ca, allow_internal=["::1"])
        assert retrieved is not None
        assert retrieved.server == f"::1#{server.port}"
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


def test_a_certificate_of_an_authority_we_do_not_know_is_refused(authority: trustme.CA) -> None:
    with WebServer(a_list, tls=server_tls(authority.issue_cert("127.0.0.1"))) as server:
        with pytest.raises(CertificateUntrusted, match="set ca to the certificate of its auth"):
            retrieve(server)
        other = trustme.CA().cert_pem.bytes().decode()
        with pytest.raises(CertificateUntrusted):
            retrieve(server, ca=other)
    assert not server.requests


def test_a_certificate_out_of_its_time_is_refused(authority: trustme.CA, ca: str) -> None:
    expired = authority.issue_cert("127.0.0.1", not_before=LONG_AGO, not_after=LONG_AGO)
    with WebServer(a_list, tls=server_tls(expired)) as server, pytest.raises(CertificateExpired):
        retrieve(server, ca=ca)


def test_a_server_without_tls_is_told_apart(ca: str) -> None:
    with WebServer(a_list) as server:
        url = server.url().replace("http:", "https:")
        with pytest.raises(TlsFailed):
            retrieve(server, ca=ca, url=url)


def test_plain_http_to_a_port_with_tls_is_a_failed_retrieval(authority: trustme.CA) -> None:
    with WebServer(a_list, tls=server_tls(authority.issue_cert("127.0.0.1"))) as server:
        url = server.url().replace("https:", "http:")
        with pytest.raises(SourceError):
            retrieve(server, url=url)


def test_a_redirect_does_not_leave_server_tls(authority: trustme.CA, ca: str) -> None:
    with WebServer(a_list) as plain:
        target = plain.url()
        certificate = authority.issue_cert("127.0.0.1")
        with (
            WebServer(lambda _: redirect(target), tls=server_tls(certificate)) as server,
            pytest.raises(RedirectRefused, match=r"redirects to http://.*, which is not encrypted"),
        ):
            retrieve(server, ca=ca)
    assert not plain.requests


def test_a_redirect_from_http_to_https_is_followed(authority: trustme.CA, ca: str) -> None:
    with WebServer(a_list, tls=server_tls(authority.issue_cert("127.0.0.1"))) as server:
        target = server.url()
        with WebServer(lambda _: redirect(target)) as plain:
            assert body_of(retrieve(plain, ca=ca)) == b"192.0.2.1\n"


# Our own certificate.


def wanting(authority: trustme.CA) -> ssl.SSLContext:
    context = server_tls(authority.issue_cert("127.0.0.1"))
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def client(authority: trustme.CA) -> dict[str, Any]:
    certificate = authority.issue_cert("appliance.example")
    return {
        "auth": "certificate",
        "client_certificate": certificate.cert_chain_pems[0].bytes().decode(),
        "client_key": certificate.private_key_pem.bytes().decode(),
    }


def test_our_certificate_is_shown_to_a_server_that_wants_it(authority: trustme.CA, ca: str) -> None:
    with WebServer(a_list, tls=wanting(authority)) as server:
        assert body_of(retrieve(server, ca=ca, **client(authority))) == b"192.0.2.1\n"
    assert server.requests[0].client_certificate


@pytest.mark.parametrize(
    ("version", "faults"),
    [
        (ssl.TLSVersion.TLSv1_2, (TlsFailed,)),
        # The alert comes behind the handshake, and a closed connection may overtake it.
        (ssl.TLSVersion.TLSv1_3, (TlsFailed, CutShort)),
    ],
)
def test_a_server_that_wants_a_certificate_and_gets_none_is_told_apart(
    authority: trustme.CA, ca: str, version: ssl.TLSVersion, faults: tuple[type[SourceError], ...]
) -> None:
    context = wanting(authority)
    context.maximum_version = version
    with WebServer(a_list, tls=context) as server, pytest.raises(faults):
        retrieve(server, ca=ca)
    assert not server.requests


def test_our_certificate_is_not_shown_behind_a_redirect(authority: trustme.CA, ca: str) -> None:
    asking = wanting(authority)
    asking.verify_mode = ssl.CERT_OPTIONAL
    with WebServer(a_list, tls=asking) as other:
        target = other.url()
        with WebServer(lambda _: redirect(target), tls=wanting(authority)) as server:
            retrieve(server, ca=ca, **client(authority))
    assert server.requests[0].client_certificate
    assert not other.requests[0].client_certificate


def test_a_certificate_that_cannot_work_is_refused_without_being_repeated(
    authority: trustme.CA,
) -> None:
    good, other = client(authority), client(authority)
    for wrong, named in (
        ({**good, "client_key": ""}, "client_key"),
        ({**good, "client_certificate": ""}, "client_certificate"),
        ({**good, "client_key": "SECRET"}, "client_certificate and client_key"),
        ({**good, "client_key": other["client_key"]}, "client_certificate and client_key"),
        ({"ca": "no PEM"}, "ca"),
        ({"ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "ca"),
    ):
        with (
            WebServer(a_list) as server,
            pytest.raises(SourceMisconfigured, match=rf"^{named} must") as raised,
        ):
            source_at(server, **wrong)
        assert "SECRET" not in str(raised.value)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(
    authority: trustme.CA,
) -> None:
    from cryptography.hazmat.primitives import serialization

    good = client(authority)
    key = serialization.load_pem_private_key(str(good["client_key"]).encode(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with WebServer(a_list) as server, pytest.raises(SourceMisconfigured, match="without a passw"):
        source_at(server, **{**good, "client_key": locked.decode()})
