"""When a web list is taken to be unchanged, and when a server is not believed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from policies.sources.base import Retrieved
from policies.sources.http import Version
from policies.sources.http_errors import UnaskedNotModified
from tests.fakes.webserver import Reply, Request, WebServer
from tests.policies.sources.web import body_of, retrieve

LIST = b"192.0.2.1\n"
DATE = "Sat, 21 Nov 2026 12:00:00 GMT"


class Publisher:
    """Holds a list with an ETag and a date, and answers conditional questions as `lie` says."""

    def __init__(self, **headers: str) -> None:
        self.body = LIST
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.lie: Reply | None = None

    def __call__(self, request: Request) -> Reply:
        is_conditional = {"if-none-match", "if-modified-since"} & set(request.headers)
        if self.lie is not None and is_conditional:
            return self.lie
        return Reply(self.body, headers=self.headers)


def first(server: WebServer) -> Retrieved:
    retrieved = retrieve(server)
    assert retrieved is not None
    return retrieved


def test_what_a_server_named_its_list_by_is_said_back_to_it() -> None:
    with WebServer(Publisher(ETag='"a"', Last_Modified=DATE)) as server:
        retrieve(server, known=first(server))
    asked = server.requests[1].headers
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('"a"', DATE)


@pytest.mark.parametrize(
    "headers",
    [{}, {"ETag": '"a"'}, {"ETag": 'W/"a"'}],
)
def test_a_304_with_the_same_etag_or_none_is_believed(headers: dict[str, str]) -> None:
    publisher = Publisher(ETag='"a"')
    with WebServer(publisher) as server:
        known = first(server)
        publisher.body = b"198.51.100.1\n"
        publisher.lie = Reply(status=304, headers=headers)
        assert retrieve(server, known=known) is None
    assert len(server.requests) == 2


# Row 31 of the failures: a 304 that carries another ETag.


@pytest.mark.parametrize("held", [{"ETag": '"a"'}, {"Last_Modified": DATE}])
def test_a_304_with_another_etag_is_not_believed_and_the_list_is_asked_for_whole(
    held: dict[str, str],
) -> None:
    publisher = Publisher(**held)
    with WebServer(publisher) as server:
        known = first(server)
        publisher.body = b"198.51.100.1\n"
        publisher.lie = Reply(status=304, headers={"ETag": '"b"'})
        assert body_of(retrieve(server, known=known)) == b"198.51.100.1\n"
    assert len(server.requests) == 3
    assert not {"if-none-match", "if-modified-since"} & set(server.requests[2].headers)


def test_a_304_with_another_etag_over_the_same_list_is_unchanged_all_the_same() -> None:
    publisher = Publisher(ETag='"a"')
    with WebServer(publisher) as server:
        known = first(server)
        publisher.lie = Reply(status=304, headers={"ETag": '"b"'})
        assert retrieve(server, known=known) is None
    assert len(server.requests) == 3


def test_a_304_that_nobody_asked_for_is_a_fault() -> None:
    with WebServer(lambda _: Reply(status=304)) as server, pytest.raises(UnaskedNotModified):
        retrieve(server)


def test_without_known_the_list_is_asked_for_whole_so_that_a_lie_ends_within_a_day() -> None:
    publisher = Publisher(ETag='"a"')
    with WebServer(publisher) as server:
        first(server)
        publisher.lie = Reply(status=304)
        assert body_of(retrieve(server)) == LIST


def test_the_same_body_is_unchanged_though_the_server_has_no_name_for_it() -> None:
    publisher = Publisher()
    with WebServer(publisher) as server:
        known = first(server)
        assert retrieve(server, known=known) is None
        publisher.body = b"198.51.100.1\n"
        assert body_of(retrieve(server, known=known)) == b"198.51.100.1\n"


def test_a_list_that_is_read_otherwise_than_before_is_not_unchanged() -> None:
    publisher = Publisher(ETag='"a"')
    with WebServer(publisher) as server:
        known = first(server)
        publisher.lie = Reply(status=304)
        publisher.body = b"x,192.0.2.1\n"
        again = retrieve(server, known=known, layout="csv", column="2")
        assert body_of(again) == b"x,192.0.2.1\n"


def test_an_etag_without_end_is_not_kept() -> None:
    with WebServer(Publisher(ETag=f'"{"x" * 2000}"')) as server:
        known = first(server)
        assert known.version is not None
        assert len(known.version) < 300
        assert retrieve(server, known=known) is None
    assert "if-none-match" not in server.requests[1].headers


@pytest.mark.parametrize("version", ["", "7", "[]", "{}", '{"asked":1,"digest":2}', "\ud800"])
def test_a_version_of_somebody_else_means_a_whole_answer(version: str) -> None:
    with WebServer(Publisher(ETag='"a"')) as server:
        known = replace(first(server), version=version)
        assert body_of(retrieve(server, known=known)) == LIST


@given(st.builds(Version, *[st.text(alphabet=st.characters(max_codepoint=255))] * 4))
def test_a_version_survives_being_written(version: Version) -> None:
    assert Version.parse(version.text()) == version
    assert json.loads(version.text())["digest"] == version.digest
