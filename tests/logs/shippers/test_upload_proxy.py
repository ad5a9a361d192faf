"""Uploads through a proxy: squid, with and without a login, and proxies that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from logs.shippers.base import ShipperMisconfigured, ShipRefused, ShipUnavailable
from logs.shippers.upload import Uploader
from logs.shippers.upload_errors import (
    CertificateWrongName,
    NotHttp,
    ProxyClosed,
    ProxyLoginRefused,
    ProxyRefused,
    ProxyUnreachable,
    TimedOut,
)
from tests.fakes.collector import Collector
from tests.fakes.foreground import NotInstalled, free_port
from tests.fakes.logservice import Conversation, LogService
from tests.fakes.squid import Squid
from tests.logs.batches import closed_batch, noise
from tests.logs.shippers.uploads import AUTHORITY, server_tls, take, upload

LOGIN = ("tscm", "pass:word")


@pytest.fixture(scope="module")
def squid() -> Iterator[Squid]:
    try:
        with Squid() as running:
            yield running
    except NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def squid_with_login() -> Iterator[Squid]:
    try:
        with Squid(login=LOGIN) as running:
            yield running
    except NotInstalled as missing:
        pytest.skip(str(missing))


def test_a_batch_goes_through_a_proxy_to_the_collector(squid: Squid, tmp_path: Path) -> None:
    store = tmp_path / "store"
    batch = closed_batch(tmp_path / "spool", text=noise(3_000_000))
    with Collector(store, certificate=AUTHORITY.issue_cert("127.0.0.1")) as collector:
        receipt = upload(batch, collector.url(), proxy=squid.url)
    assert receipt.status == 200
    assert (store / batch.device_id / "1.log.gz").stat().st_size == receipt.bytes_sent


def test_a_batch_goes_through_a_proxy_that_wants_a_login(
    squid_with_login: Squid, tmp_path: Path
) -> None:
    with LogService(take, tls=server_tls()) as service:
        upload(
            closed_batch(tmp_path),
            service.url(),
            proxy=squid_with_login.url,
            proxy_user=LOGIN[0],
            proxy_password=LOGIN[1],
        )
    assert "proxy-authorization" not in service.conversations[0].headers


@pytest.mark.parametrize(
    ("user", "password", "message"),
    [("", "", "the proxy wants a login"), ("tscm", "wrong", "the proxy refused the login")],
)
def test_a_proxy_that_wants_another_login_waits_for_a_person(
    user: str, password: str, message: str, squid_with_login: Squid, tmp_path: Path
) -> None:
    with (
        LogService(take, tls=server_tls()) as service,
        pytest.raises(ProxyLoginRefused, match=rf"answered 407.*: {message}\. Set the") as caught,
    ):
        upload(
            closed_batch(tmp_path),
            service.url(),
            proxy=squid_with_login.url,
            proxy_user=user,
            proxy_password=password,
        )
    assert isinstance(caught.value, ShipRefused)
    assert not caught.value.is_about_batch
    assert "wrong" not in str(caught.value)
    assert not service.conversations


def test_a_proxy_that_cannot_be_reached_is_tried_again(tmp_path: Path) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ProxyUnreachable, match=r"the proxy 127\.0\.0\.1:\d+: .*refused") as caught:
        upload(closed_batch(tmp_path), "https://logs.example/", proxy=proxy)
    assert isinstance(caught.value, ShipUnavailable)


def test_a_proxy_without_an_address_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ProxyUnreachable, match=r"the proxy proxy\.invalid:3128"):
        upload(closed_batch(tmp_path), "https://logs.example/", proxy="http://proxy.invalid:3128")


def test_a_proxy_that_does_not_reach_the_service_is_tried_again(
    squid: Squid, tmp_path: Path
) -> None:
    url = f"https://127.0.0.1:{free_port()}/"
    with pytest.raises(ProxyUnreachable, match=r"the proxy http://\S+ answered 50\d"):
        upload(closed_batch(tmp_path), url, proxy=squid.url)


def test_a_proxy_that_forbids_the_service_waits_for_a_person(squid: Squid, tmp_path: Path) -> None:
    with pytest.raises(ProxyRefused, match="answered 403 Forbidden"):
        upload(closed_batch(tmp_path), "https://refused.example/", proxy=squid.url)


def test_the_certificate_is_verified_through_a_proxy(squid: Squid, tmp_path: Path) -> None:
    with (
        LogService(take, tls=server_tls("other.example")) as service,
        pytest.raises(CertificateWrongName),
    ):
        upload(closed_batch(tmp_path), service.url(), proxy=squid.url)
    assert not service.conversations


def proxy_that(*answer: bytes, waits: bool = False) -> LogService:
    """Return a proxy that answers CONNECT with these bytes, and then closes or waits."""

    def script(conversation: Conversation) -> None:
        conversation.read_head()
        conversation.send(*answer)
        if waits:
            conversation.wait()

    return LogService(script)


def test_a_proxy_that_says_200_and_closes_is_told_apart(tmp_path: Path) -> None:
    with (
        proxy_that(b"HTTP/1.1 200 Connection established\r\n\r\n") as proxy,
        pytest.raises(ProxyClosed, match="answered 200 to CONNECT and closed") as caught,
    ):
        upload(closed_batch(tmp_path), "https://logs.example/", proxy=f"http://{proxy.address}")
    assert isinstance(caught.value, ShipUnavailable)
    assert proxy.conversations[0].request_line == "CONNECT logs.example:443 HTTP/1.1"


def test_a_proxy_that_says_200_and_nothing_more_ends_at_the_deadline(tmp_path: Path) -> None:
    with (
        proxy_that(b"HTTP/1.1 200 OK\r\n\r\n", waits=True) as proxy,
        pytest.raises(TimedOut),
    ):
        upload(
            closed_batch(tmp_path),
            "https://logs.example/",
            proxy=f"http://{proxy.address}",
            seconds=1.0,
        )


@pytest.mark.parametrize("status", ["408 Late", "429 Slow", "500 Oops", "504 Gateway Timeout"])
def test_a_proxy_that_cannot_now_is_tried_again(status: str, tmp_path: Path) -> None:
    with (
        proxy_that(f"HTTP/1.1 {status}\r\n\r\n".encode()) as proxy,
        pytest.raises(ProxyUnreachable, match=status),
    ):
        upload(closed_batch(tmp_path), "https://logs.example/", proxy=f"http://{proxy.address}")


def test_a_proxy_that_speaks_no_http_is_tried_again(tmp_path: Path) -> None:
    with proxy_that(b"SSH-2.0-x\r\n\r\n") as proxy, pytest.raises(NotHttp):
        upload(closed_batch(tmp_path), "https://logs.example/", proxy=f"http://{proxy.address}")


def test_a_proxy_of_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with LogService(take, tls=server_tls()) as service:
        assert upload(closed_batch(tmp_path), service.url()).status == 200


def test_an_https_proxy_is_refused_by_name() -> None:
    with pytest.raises(ShipperMisconfigured, match="an https:// proxy is not supported"):
        Uploader.from_settings(proxy="https://proxy.example:3129")


@pytest.mark.parametrize(
    "proxy",
    [
        "proxy.example:3128",
        "http://proxy.example",
        "http://user:pass@proxy.example:3128",
        "http://proxy.example:3128/path",
        "http://proxy.example:99999",
        "http://under score:3128",
        "socks5://proxy.example:1080",
    ],
)
def test_any_other_proxy_than_http_address_port_is_refused(proxy: str) -> None:
    with pytest.raises(ShipperMisconfigured, match="must be http://address:port; user and"):
        Uploader.from_settings(proxy=proxy)


def test_a_login_that_basic_authentication_cannot_carry_is_refused() -> None:
    with pytest.raises(ShipperMisconfigured, match="must not hold a colon") as caught:
        Uploader.from_settings(
            proxy="http://proxy.example:3128", proxy_user="a:b", proxy_password="secret"
        )
    assert "secret" not in str(caught.value)


def test_the_password_of_the_proxy_is_not_in_what_is_printed() -> None:
    uploader = Uploader.from_settings(
        proxy="http://proxy.example:3128", proxy_user="tscm", proxy_password="hush"
    )
    assert "hush" not in repr(uploader)
