"""What a server may answer, and what must never come of it: rows 5, 17, 18, 26, 27, 31 and 32."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from policies.models import Alarm, Policy, Source
from policies.services import create_source
from policies.states import AlarmKind, Outcome, PolicyState, SourceState
from tests.failures.site import Shelf, Site, body, last, lines
from tests.fakes.foreground import free_port
from tests.fakes.webserver import Pause, Raw, Reply, Request, redirect, text

GOOD = [f"5.6.{n}.0/24" for n in range(0, 40, 2)]
HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>1.2.3.4</body></html>"
PAGE = "Please accept our terms of use at 1.2.3.4 before you go on"


def is_as_before(site: Site, source: Source, policy: Policy, before: bytes) -> None:
    """Assert that the newest retrieval failed with words and that the last good list stays."""
    held = source.list_digest
    source.refresh_from_db()
    failed = last(source)
    assert failed.outcome in {Outcome.UNAVAILABLE, Outcome.REFUSED}, failed
    assert failed.error == source.error != ""
    assert body(policy) == before
    assert source.list_digest == held
    assert site.web.requests


@pytest.fixture
def source(site: Site) -> Source:
    """A list that was retrieved and published."""
    return site.source("/list", *GOOD)


@pytest.fixture
def policy(site: Site, source: Source) -> Policy:
    policy = site.policy(source)
    site.tick()
    source.refresh_from_db()
    assert len(lines(policy)) == len(GOOD)
    return policy


@pytest.mark.parametrize(
    "answer",
    [
        Reply(b""),
        Reply(b"# a comment\n\n; and another\n"),
        Reply(HTML, headers={"Content-Type": "text/html"}),
        Reply(HTML, headers={"Content-Type": "text/plain"}),
        Reply(b"1.2.3.4\n", headers={"Content-Type": "text/html; charset=utf-8"}),
        text(*(f"{PAGE} {n}" for n in range(50))),
        text("Attention Required! captcha", "1.2.3.4"),
        text(GOOD[0]),  # 95 % less
        Reply(b'{"error": "quota exceeded"}', headers={"Content-Type": "application/json"}),
        Reply(gzip.compress(b"5.6.7.8\n")[:-9], headers={"Content-Encoding": "gzip"}),
        Reply("5.6.7.8\n".encode("utf-16")),
        Reply(b"5.6.7.8\n", status=206),
    ],
    ids=["empty", "comments", "html", "html as text", "list as html", "terms", "captcha",
         "shrunken", "json", "half a gzip", "utf-16", "a part"],
)  # fmt: skip
def test_failure_05_an_answer_that_is_no_list_is_a_failed_retrieval_and_the_last_good_one_stays(
    site: Site, source: Source, policy: Policy, answer: Reply
) -> None:
    before = body(policy)
    site.shelf.answers["/list"] = answer
    site.tick(hours=1)
    is_as_before(site, source, policy, before)
    assert policy.state == PolicyState.CURRENT


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 502, 503, 304])
def test_failure_05_a_status_that_brings_no_list_changes_nothing(
    site: Site, source: Source, policy: Policy, status: int
) -> None:
    before = body(policy)
    Source.objects.update(whole_at=None)  # so that 304 answers a question nobody asked
    site.shelf.answers["/list"] = Reply(PAGE.encode(), status=status)
    site.tick(hours=1)
    is_as_before(site, source, policy, before)


def test_failure_17_one_bad_source_neither_delays_nor_spoils_the_others(
    site: Site, settings: Settings
) -> None:
    settings.TSCM_RETRIEVE_SECONDS = 1.0
    hangs = Raw([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n5.6.7.8\n", Pause(60)])
    bad = site.source("/a-bad-one", "9.0.0.1")
    policy = site.policy(bad, site.source("/good", "5.6.7.8"))
    site.tick()
    site.shelf.answers["/a-bad-one"] = hangs
    site.shelf.put("/good", "5.6.7.9")
    site.tick(hours=1)
    assert lines(policy) == ["5.6.7.9", "9.0.0.1"]
    assert last(bad).seconds < 5
    assert last(bad).outcome == Outcome.UNAVAILABLE


def test_failure_17_a_source_that_never_came_is_missing_and_nothing_else(site: Site) -> None:
    bad = site.source("/bad")
    policy = site.policy(bad, site.source("/good", "5.6.7.8"))
    site.tick()
    assert (lines(policy), policy.state) == (["5.6.7.8"], PolicyState.PARTIAL)
    assert "bad: no list yet" in policy.state_detail


def test_failure_18_unchanged_is_told_from_unreachable_and_a_stale_list_raises_an_alarm(
    site: Site, source: Source, policy: Policy
) -> None:
    site.tick(hours=1)
    source.refresh_from_db()
    assert (last(source).outcome, source.retrieved_at) == (Outcome.UNCHANGED, site.tick(hours=1))
    for hours in (2, 3, 4):
        site.shelf.answers["/list"] = Reply(status=503)
        site.tick(hours=hours)
    source.refresh_from_db()
    assert (source.state, source.failures) == (SourceState.UNAVAILABLE, 3)
    assert source.retrieved_at == site.now + timedelta(hours=1)
    assert not Alarm.objects.exists()
    site.tick(hours=4.5)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.subject, alarm.closed_at) == (AlarmKind.STALE, "source list", None)
    assert "503" in alarm.message
    assert len(lines(policy)) == len(GOOD)
    site.shelf.put("/list", *GOOD)
    now = site.tick(hours=6)
    alarm.refresh_from_db()
    assert alarm.closed_at == now


def test_failure_18_a_source_that_never_delivered_raises_an_alarm_as_well(site: Site) -> None:
    site.policy(site.source("/bad"), site.source("/good", "5.6.7.8"))
    for hours in range(5):
        site.tick(hours=hours * 6)
    alarms = {alarm.subject: alarm.message for alarm in Alarm.objects.filter(closed_at=None)}
    assert "404" in alarms["source bad"]
    site.shelf.put("/bad", "5.6.7.9")
    site.tick(hours=48)
    assert not Alarm.objects.filter(closed_at=None, subject="source bad").exists()


@pytest.mark.parametrize("inside", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "10.0.0.1"])
def test_failure_26_a_url_that_reaches_inside_is_refused_unless_it_is_allowed_by_name(
    site: Site, inside: str
) -> None:
    url = f"http://{inside}:{site.web.port}/list"
    site.shelf.put("/list", "5.6.7.8")
    source = create_source(
        name="inside", kind="http", settings={"url": url}, actor="test", now=site.now
    )
    policy = site.policy(source)
    site.tick()
    policy.refresh_from_db()
    assert policy.current is None
    assert site.web.requests == []
    assert last(source).error


def test_failure_26_a_redirect_that_leads_inside_is_not_followed(
    site: Site, source: Source, policy: Policy
) -> None:
    before, asked = body(policy), len(site.web.requests)
    site.shelf.answers["/list"] = redirect(f"http://127.0.0.2:{site.web.port}/inside")
    site.shelf.put("/inside", "5.6.7.8")
    site.tick(hours=1)
    is_as_before(site, source, policy, before)
    assert [request.path for request in site.web.requests[asked:]] == ["/list"]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 500\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n10\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_failure_27_half_a_body_is_no_list_though_every_line_of_it_is_good(
    site: Site, source: Source, policy: Policy, head: bytes
) -> None:
    before = body(policy)
    half = "".join(f"{line}\n" for line in [*GOOD, "5.7.0.0/24"]).encode()
    if head.endswith(b"\r\n\r\n") and b"chunked" in head:
        half = f"{len(half):x}\r\n".encode() + half + b"\r\n"  # a whole chunk, and not the last
    answer = Raw([b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", head, half])
    site.shelf.answers["/list"] = answer
    site.tick(hours=1)
    is_as_before(site, source, policy, before)


class Liar:
    """Says "not modified" for ever, of an ETag of its own choice."""

    def __init__(self, shelf: Shelf, etag: str) -> None:
        self.content: tuple[str, ...] = ("5.6.7.8",)
        self.etag = etag
        shelf.answers["/list"] = self

    def __call__(self, request: Request) -> Reply:
        if "if-none-match" in request.headers:
            return Reply(status=304, headers={"ETag": self.etag})
        return text(*self.content, ETag='"held"')


def test_failure_31_a_304_of_another_etag_is_not_believed(site: Site) -> None:
    liar = Liar(site.shelf, etag='"another"')
    policy = site.policy(site.source("/list"))
    site.tick()
    liar.content = ("5.6.7.9",)
    site.tick(hours=1)
    assert lines(policy) == ["5.6.7.9"]


def test_failure_31_a_list_that_is_said_to_be_unchanged_is_asked_for_whole_once_a_day(
    site: Site,
) -> None:
    liar = Liar(site.shelf, etag='"held"')
    source = site.source("/list")
    policy = site.policy(source)
    site.tick()
    liar.content = ("5.6.7.9",)
    for hours in range(1, 24):
        site.tick(hours=hours)
    assert lines(policy) == ["5.6.7.8"]
    site.tick(hours=24)
    assert lines(policy) == ["5.6.7.9"]
    conditional = ["if-none-match" in request.headers for request in site.web.requests]
    assert conditional == [False, *[True] * 23, False]


def test_failure_32_nothing_is_torn_down_while_the_network_is_away(
    site: Site, source: Source, policy: Policy, now: datetime
) -> None:
    before, snapshot = body(policy), policy.current
    url = f"http://127.0.0.1:{free_port()}/list"
    Source.objects.update(settings={"url": url, "allow_internal": ["127.0.0.1"]})
    for hours in (1, 2, 3, 12, 24, 72):
        site.tick(hours=hours)
        is_as_before(site, source, policy, before)
    assert policy.current == snapshot
    assert policy.snapshots.count() == 1
