"""What a web server may answer, and what becomes of it."""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.sources.base import Deadline, EmptyList, SourceError, SourceRefused, SourceUnavailable
from policies.sources.http import USER_AGENT, HttpSource
from policies.sources.http_errors import (
    CutShort,
    Forbidden,
    Gone,
    NotAList,
    NotFound,
    NothingListed,
    NotHttp,
    OtherStatus,
    ServerFailed,
    TimedOut,
    TooLarge,
    TooManyRequests,
    UnaskedNotModified,
    Unauthorized,
    Unreachable,
)
from tests.fakes.webserver import Pause, Raw, Reply, Request, WebServer, text
from tests.policies.sources.web import body_of, retrieve

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


def test_a_list_comes_as_it_was_sent_with_who_sent_it() -> None:
    with WebServer(lambda _: text("# a list", "192.0.2.1", "198.51.100.0/24 ; note")) as server:
        retrieved = retrieve(server)
        assert body_of(retrieved) == b"# a list\n192.0.2.1\n198.51.100.0/24 ; note\n"
        assert retrieved is not None
        assert retrieved.server == server.address
        assert decode(retrieved).addresses == AddressSet.of("192.0.2.1", "198.51.100.0/24")


def test_a_server_learns_the_host_and_who_asks_and_no_more() -> None:
    with WebServer(lambda _: text("192.0.2.1")) as server:
        retrieve(server, "/a?b=c")
    (request,) = server.requests
    assert request.path == "/a?b=c"
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "accept-encoding": "gzip",
    }


def test_a_list_in_columns_keeps_its_layout() -> None:
    with WebServer(lambda _: text("name,ip", "x,192.0.2.1")) as server:
        retrieved = retrieve(server, layout="csv", column="ip")
    assert retrieved is not None
    assert decode(retrieved).addresses == AddressSet.of("192.0.2.1")


def test_a_chunked_body_is_put_together() -> None:
    raw = HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n192.0\r\n5\r\n.2.1\n\r\n0\r\n\r\n"
    with WebServer(lambda _: Raw([raw])) as server:
        assert body_of(retrieve(server)) == b"192.0.2.1\n"


@pytest.mark.parametrize(
    ("status", "fault", "family"),
    [
        (401, Unauthorized, SourceRefused),
        (403, Forbidden, SourceRefused),
        (404, NotFound, SourceRefused),
        (410, Gone, SourceRefused),
        (202, OtherStatus, SourceRefused),
        (206, OtherStatus, SourceRefused),
        (300, OtherStatus, SourceRefused),
        (418, OtherStatus, SourceRefused),
        (304, UnaskedNotModified, SourceRefused),
        (408, ServerFailed, SourceUnavailable),
        (429, TooManyRequests, SourceUnavailable),
        (500, ServerFailed, SourceUnavailable),
        (503, ServerFailed, SourceUnavailable),
    ],
)
def test_each_status_says_whether_trying_again_helps(
    status: int, fault: type[SourceError], family: type[SourceError]
) -> None:
    assert issubclass(fault, family)
    with (
        WebServer(lambda _: Reply(b"192.0.2.1\n", status)) as server,
        pytest.raises(fault, match=rf"/list\.txt: 127\.0\.0\.1#\d+ answered {status}\. [A-Z]"),
    ):
        retrieve(server)


def test_how_long_a_busy_server_wants_to_be_left_alone_is_in_the_message() -> None:
    with (
        WebServer(lambda _: Reply(status=429, headers={"Retry-After": "3600"})) as server,
        pytest.raises(TooManyRequests, match="Retry-After: '3600'"),
    ):
        retrieve(server)


# Row 5 of the failures: 200 with an empty body, HTML, terms or a captcha.


@pytest.mark.parametrize("body", [b"", b"\n \r\n\n", b"\xef\xbb\xbf", b"# nothing today\n; none\n"])
def test_an_empty_body_is_an_empty_list_and_not_a_list_of_nothing(body: bytes) -> None:
    with WebServer(lambda _: Reply(body)) as server, pytest.raises(NothingListed) as raised:
        retrieve(server)
    assert isinstance(raised.value, EmptyList)


@pytest.mark.parametrize(
    ("body", "kind", "shown"),
    [
        (b"192.0.2.1\n", "text/html; charset=utf-8", "“192.0.2.1”"),
        (b"<!DOCTYPE html><title>Accept\n our terms</title>", "text/plain", "“Accept our terms”"),
        (b"\xef\xbb\xbf\n <html><body>Are you &amp; human?", "", "“Are you & human\\?”"),
        (b"<?xml version='1.0'?>", "application/xml", "without words"),
        (b'{"error": "no such key"}', "text/plain", "no such key"),
        (b'[{"ip": "192.0.2.1"}]', "application/json", "192.0.2.1"),
        (b"\x00\x01\x02", "application/octet-stream", "binary"),
        ("192.0.2.1\n".encode("utf-16"), "text/plain", "UTF-16"),
    ],
)
def test_a_page_instead_of_a_list_is_a_failed_retrieval_and_shown(
    body: bytes, kind: str, shown: str
) -> None:
    with (
        WebServer(lambda _: Reply(body, headers={"Content-Type": kind})) as server,
        pytest.raises(NotAList, match=shown),
    ):
        retrieve(server)


def test_a_page_is_no_list_of_json_either() -> None:
    with WebServer(lambda _: Reply(b"<html>")) as server, pytest.raises(NotAList):
        retrieve(server, layout="json", path="$[*]")


def test_a_redirect_to_a_login_page_is_a_failed_retrieval() -> None:
    def handler(request: Request) -> Reply:
        if request.path == "/login":
            return Reply(b"<html><title>Sign in</title>", headers={"Content-Type": "text/html"})
        return Reply(status=302, headers={"Location": "/login"})

    with WebServer(handler) as server, pytest.raises(NotAList, match=r"/login: .*“Sign in”"):
        retrieve(server)


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([HEAD + b"Content-Length: 100\r\n\r\n192.0.2.1\n"], CutShort),
        ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n192.0\r\n"], CutShort),
        ([b"HTTP/1.1 200 OK\r\nContent-"], CutShort),
        ([], CutShort),
        ([b"220 mail.example ESMTP\r\n\r\n"], NotHttp),
        ([b"\x15\x03\x01\x00\x02\x02\x50"], NotHttp),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"], NotHttp),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000], NotHttp),
    ],
)
def test_an_answer_that_is_cut_is_told_from_one_that_is_none(
    steps: list[bytes | Pause], fault: type[SourceError]
) -> None:
    with WebServer(lambda _: Raw(steps)) as server, pytest.raises(fault):
        retrieve(server)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [
                    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
                    b"Content-Length: 10\r\n", b"Content-Length: -1\r\n", b"Location: //\r\n",
                    b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"\r\n",
                    b"HTTP/1.1 302 Found\r\n", b"HTTP/1.1 101 Switching\r\n", b"5\r\n", b"\x1f\x8b",
                ]
            ),
        ),
        max_size=8,
    )
)  # fmt: skip
def test_whatever_a_server_sends_is_a_list_or_a_fault_of_the_source(parts: list[bytes]) -> None:
    with WebServer(lambda _: Raw(parts)) as server:
        try:
            retrieved = retrieve(server)
        except SourceError:
            return
    assert body_of(retrieved)


def trickle() -> Iterator[bytes | Pause]:
    while True:
        yield b"X"
        yield Pause(0.02)


@pytest.mark.parametrize("head", [b"", HEAD + b"\r\n"])
def test_a_server_that_trickles_does_not_outlast_the_deadline(head: bytes) -> None:
    def handler(_: Request) -> Raw:
        return Raw(step for part in ([head], trickle()) for step in part)

    with WebServer(handler) as server, pytest.raises(TimedOut, match="did not come whole in time"):
        retrieve(server, seconds=0.5)


def test_a_server_that_says_nothing_is_left_at_the_deadline() -> None:
    with WebServer(lambda _: Raw([Pause(600)])) as server, pytest.raises(TimedOut):
        retrieve(server, seconds=0.3)


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with WebServer(lambda _: text()) as server:
        pass
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1#\d+: Connection refused"):
        retrieve(server)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes one connection and says nothing, and answers no other."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        yield port


def ask(url: str, *, seconds: float) -> None:
    source = HttpSource.from_settings({"url": url, "allow_internal": ["127.0.0.1"]})
    source.retrieve(known=None, deadline=Deadline.after(seconds))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_port_that_takes_a_connection_and_says_nothing_is_left_at_the_deadline(
    silent: int, scheme: str
) -> None:
    with pytest.raises(TimedOut):
        ask(f"{scheme}://127.0.0.1:{silent}/", seconds=0.3)


def test_a_port_that_does_not_even_take_a_connection_is_unreachable(silent: int) -> None:
    with socket.socket() as first, socket.socket() as second:
        for sock in (first, second):  # until the listener's queue is full
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", silent))
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1#\d+: no answer"):
            ask(f"http://127.0.0.1:{silent}/", seconds=0.3)


def test_without_time_left_nobody_is_asked() -> None:
    with WebServer(lambda _: text("192.0.2.1")) as server:
        with pytest.raises(TimedOut, match="none tried"):
            retrieve(server, seconds=0)
        assert not server.requests


def test_a_407_of_the_server_itself_is_no_fault_of_a_proxy() -> None:
    with WebServer(lambda _: Reply(status=407)) as server, pytest.raises(OtherStatus):
        retrieve(server)


# Row 19 of the failures: memory that grows with what comes.


def endless() -> Iterator[bytes]:
    while True:
        yield b"192.0.2.1\n" * 1000


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"\r\n",
        HEAD + b"Content-Length: 99999999999\r\n\r\n",
    ],
)
def test_a_body_without_end_is_refused_in_bounded_memory(head: bytes) -> None:
    def handler(_: Request) -> Raw:
        return Raw(step for part in ([head], endless()) for step in part)

    with WebServer(handler) as server:
        tracemalloc.start()
        try:
            with pytest.raises(TooLarge, match="over max_bytes"):
                retrieve(server, max_bytes=1 << 20)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8 << 20


def test_a_list_of_just_the_bound_is_taken() -> None:
    body = b"192.0.2.1\n" * 100
    with WebServer(lambda _: Reply(body)) as server:
        assert body_of(retrieve(server, max_bytes=1000)) == body
        with pytest.raises(TooLarge):
            retrieve(server, max_bytes=999)
