"""The sockets that syslog comes in by, where they may be had and where not."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from logs.receiver.listening import Certificates, Listen, ListenRefused, open_socket
from tests.fakes.appliance import CHECKOUT
from tests.logs.receiver.desk import sender
from tests.logs.receiver.site import receiving

UNPRIVILEGED = """
from logs.receiver.listening import Listen, open_socket
for transport in ("udp", "tcp"):
    sock, where = open_socket(Listen(transport, "127.0.0.1", 514))
    print(where)
"""


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "0.0.0.0"])  # noqa: S104
def test_a_socket_is_bound_where_it_was_asked_for(transport: str, host: str) -> None:
    listen = Listen(transport, host, 0)  # type: ignore[arg-type]
    sock, where = open_socket(listen)
    with sock:
        assert where == listen
        name = sock.getsockname()
        assert (name[0], name[1] > 0) == (host, True)
        if transport == "tcp":
            target = {"::": "127.0.0.1", "0.0.0.0": "127.0.0.1"}.get(host, host)  # noqa: S104
            socket.create_connection((target, name[1]), timeout=5).close()


def test_it_is_told_as_people_write_it() -> None:
    assert str(Listen("udp", "::", 514)) == "udp [::]:514"
    assert str(Listen("tls", "192.0.2.1", 6514)) == "tls 192.0.2.1:6514"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give up the right to low ports")
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv (util-linux)")
def test_who_may_not_have_514_gets_5514() -> None:
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c",
         'ip link set lo up; exec setpriv --bounding-set=-net_bind_service "$@"', "sh",
         sys.executable, "-c", UNPRIVILEGED],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=False,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )  # fmt: skip
    if "unshare" in done.stderr:
        pytest.skip("this machine allows no network namespace")
    assert done.stdout.split("\n")[:2] == ["udp 127.0.0.1:5514", "tcp 127.0.0.1:5514"], done.stderr


def test_where_even_the_other_port_may_not_be_had_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden(sock: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", forbidden)
    with pytest.raises(ListenRefused, match=r"udp 127\.0\.0\.1:5514: cannot listen there"):
        open_socket(Listen("udp", "127.0.0.1", 514))


@pytest.mark.parametrize("number", [97, 99], ids=["no-IPv6", "IPv6-switched-off"])
def test_without_ipv6_every_address_means_every_ipv4_address(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    class Socket(socket.socket):
        def __init__(self, family: int, kind: int) -> None:
            if family == socket.AF_INET6:
                raise OSError(number, os.strerror(number))
            super().__init__(family, kind)

    monkeypatch.setattr("logs.receiver.listening.socket.socket", Socket)
    sock, where = open_socket(Listen("udp", "::", 0))
    assert where.host == sock.getsockname()[0] == "0.0.0.0"  # noqa: S104
    sock.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_port_that_is_taken_is_named_with_what_to_do(transport: str) -> None:
    taken, _ = open_socket(Listen(transport, "127.0.0.1", 0))  # type: ignore[arg-type]
    with taken:
        listen = Listen(transport, "127.0.0.1", taken.getsockname()[1])  # type: ignore[arg-type]
        with pytest.raises(ListenRefused, match=r"Address already in use\); stop what uses it"):
            open_socket(listen)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(ListenRefused, match=r"192\.0\.2\.1:0: cannot listen there"):
        open_socket(Listen("tcp", "192.0.2.1", 0))


def test_a_taken_port_is_told_and_listened_on_once_it_is_free(tmp_path: Path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    listen = (
        Listen("tcp", "127.0.0.1", taken.getsockname()[1]),
        Listen("udp", "127.0.0.1", 0),
    )
    with receiving(tmp_path, sender(), listen=listen) as site:
        assert "Address already in use" in site.look().trouble
        assert len(site.report.listeners) == 1
        site.send_datagrams("the other one works")
        site.wait_until_received(1)
        taken.close()
        site.receiver._listened_at -= 11  # ten seconds later
        assert site.look().trouble == ""
        site.send("now it does")
        site.wait_until_received(2)


def test_tls_without_usable_certificates_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    missing = Certificates(tmp_path / "missing.pem")
    listen = (Listen("tls", "127.0.0.1", 0), Listen("tcp", "127.0.0.1", 0))
    with receiving(tmp_path / "log", sender(), listen=listen, certificates=missing) as site:
        assert "missing.pem and the files beside it cannot be used" in site.look().trouble
        site.send("plain")
        site.wait_until_received(1)
        # The file comes, as an ACME client would bring it.
        identity = trustme.CA().issue_cert("127.0.0.1")
        identity.private_key_and_cert_chain_pem.write_to_path(str(missing.certificate))
        site.receiver.listen()
        assert site.look().trouble == ""
        assert len(site.report.listeners) == 2


def test_a_sender_by_tls_that_never_reads_loses_nothing_when_it_ends(tmp_path: Path) -> None:
    authority = trustme.CA()
    identity = tmp_path / "identity.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(identity))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with receiving(
        tmp_path / "log", sender(), certificates=Certificates(identity),
        listen=(Listen("tls", "127.0.0.1", 0),),
    ) as site:  # fmt: skip
        # Had it been sent anything that it did not read, its kernel would reset the connection.
        with context.wrap_socket(site.connect("tls"), server_hostname="127.0.0.1") as secured:
            secured.sendall(b"<13>line after line after line\n" * 50_000)
        site.wait_until_received(50_000)


def test_tls_without_any_certificate_says_what_to_give(tmp_path: Path) -> None:
    with receiving(tmp_path, sender(), listen=(Listen("tls", "127.0.0.1", 0),)) as site:
        assert site.look().trouble == "TLS: no certificate is given; give one, and its key"
