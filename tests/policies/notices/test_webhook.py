"""Webhooks: signed, sent to what was checked, and told honestly where they do not arrive."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta

import pytest
import trustme

from policies.notices.base import (
    NoticeError,
    NoticeRefused,
    NoticeUnavailable,
    NotifierMisconfigured,
)
from policies.notices.signing import new_secret
from policies.notices.webhook import WebhookNotifier
from policies.sources.base import Deadline
from tests.fakes.webhook import WebhookReceiver
from tests.fakes.webserver import Pause, Raw, Reply, WebServer, redirect
from tests.policies.notices.messages import NOW, message, news
from tests.policies.sources.web import server_tls

SECRET = new_secret()


def notifier(server: WebServer, *secrets: str, **settings: object) -> WebhookNotifier:
    """Return what tells a server on loopback, which is allowed by name."""
    given = {"url": server.url("/hook?a=1"), "allow_internal": ["127.0.0.1"], **settings}
    return WebhookNotifier.from_settings(given, secrets=secrets or (SECRET,))


def tell(told: WebhookNotifier, *, seconds: float = 10.0) -> str:
    return told.tell(message(news(7)), now=NOW, deadline=Deadline.after(seconds))


def test_a_message_arrives_signed_with_all_there_is_to_know() -> None:
    with WebhookReceiver(SECRET, now=NOW) as receiver:
        assert tell(notifier(receiver)) == f"{receiver.url('')} answered 204"
    (hook,) = receiver.hooks
    assert (hook.message_id, hook.at) == ("msg_0123456789abcdef", int(NOW.timestamp()))
    assert (hook.body["type"], hook.body["data"]["appliance"]) == ("alarms.changed", "appliance-1")
    assert receiver.requests[0].path == "/hook?a=1"
    (alarm,) = hook.body["data"]["alarms"]
    assert alarm == {
        "event": "opened",
        "id": 7,
        "kind": "stopped-pulling",
        "label": "firewall stopped pulling",
        "severity": "critical",
        "subject": "device fmc-7",
        "message": "It pulled last 2026-11-21 08:00 UTC.",
        "next_step": "Look at the firewall.",
        "opened_at": "2026-11-21T10:00:00+00:00",
        "closed_at": None,
        "url": "https://tscm.example.net/admin/policies/alarm/7/change/",
    }


def test_while_a_secret_changes_messages_are_signed_with_both() -> None:
    old, new = new_secret(), new_secret()
    with WebhookReceiver(old, new) as receiver:
        tell(notifier(receiver, new, old))
    assert set(receiver.hooks[0].good) == {old, new}


def test_an_attempt_is_signed_with_its_own_time_and_keeps_the_id() -> None:
    later = NOW + timedelta(hours=5)
    with WebhookReceiver(SECRET, now=later) as receiver:
        told = message(news(7))
        notifier(receiver).tell(told, now=later, deadline=Deadline.after(10))
    assert (receiver.hooks[0].message_id, receiver.hooks[0].at) == (
        told.message_id,
        int(later.timestamp()),
    )


def test_another_secret_is_refused_and_the_message_says_where_to_look() -> None:
    with WebhookReceiver(new_secret()) as receiver, pytest.raises(NoticeRefused) as refused:
        tell(notifier(receiver))
    assert "answered 401: the signature is wrong" in str(refused.value)
    assert "idea of the secret" in str(refused.value)


ANSWERS: list[tuple[Reply | Raw, type[NoticeError], str]] = [
    (Reply(status=500), NoticeUnavailable, "answered 500"),
    (Reply(status=503), NoticeUnavailable, "answered 503"),
    (Reply(status=429), NoticeUnavailable, "answered 429"),
    (Reply(status=410), NoticeRefused, "answered 410"),
    (Reply(b"<b>no\x00\x1b[31m" + b"x" * 100_000, status=404), NoticeRefused, "404: <b>no"),
    (redirect("http://127.0.0.1:9/other"), NoticeRefused, "Give the final URL"),
    (Raw([b"HTTP/1.1 200"]), NoticeUnavailable, "the connection broke"),
    (Raw([b"what?\r\n\r\n"]), NoticeUnavailable, "the connection broke"),
    (Raw([]), NoticeUnavailable, "the connection broke"),
]


@pytest.mark.parametrize(("answer", "kind", "words"), ANSWERS)
def test_what_the_other_side_says_decides_whether_trying_again_helps(
    answer: Reply | Raw, kind: type[NoticeError], words: str
) -> None:
    with WebhookReceiver(SECRET) as receiver:
        receiver.answers = [answer]
        with pytest.raises(kind) as raised:
            tell(notifier(receiver))
    assert words in str(raised.value)
    assert len(str(raised.value)) < 500
    assert str(raised.value).isprintable()
    assert len(receiver.requests) == 1  # nowhere else was asked


def test_a_receiver_that_says_nothing_holds_nobody_up() -> None:
    with WebhookReceiver(SECRET) as receiver:
        receiver.answers = [Raw([Pause(20)])]
        with pytest.raises(NoticeUnavailable, match=r"no answer in time\. It is tried again\."):
            tell(notifier(receiver), seconds=0.3)


def test_nobody_there_is_told_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    told = WebhookNotifier.from_settings(
        {"url": f"http://127.0.0.1:{port}/", "allow_internal": ["127.0.0.1"]}, secrets=[SECRET]
    )
    with pytest.raises(NoticeUnavailable, match=rf"127\.0\.0\.1#{port}: Connection refused"):
        tell(told)


def test_an_address_inside_is_not_asked_unless_it_is_allowed_by_name() -> None:
    with WebhookReceiver(SECRET) as receiver:
        with pytest.raises(NoticeRefused, match="name the host in allow_internal"):
            tell(notifier(receiver, allow_internal=[]))
        with pytest.raises(NoticeRefused, match="localhost resolves to"):
            tell(notifier(receiver, allow_internal=[], url=receiver.url(host="localhost")))
    assert receiver.requests == []


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_tls_is_verified_by_an_authority_of_ones_own(authority: trustme.CA) -> None:
    ca = authority.cert_pem.bytes().decode()
    with WebhookReceiver(SECRET, tls=server_tls(authority.issue_cert("127.0.0.1"))) as receiver:
        tell(notifier(receiver, ca=ca))
        with pytest.raises(NoticeRefused, match="certificate was not accepted"):
            tell(notifier(receiver))
    assert len(receiver.hooks) == 1


def test_a_certificate_for_another_name_is_refused(authority: trustme.CA) -> None:
    ca = authority.cert_pem.bytes().decode()
    other = server_tls(authority.issue_cert("hooks.example"))
    words = "certificate was not accepted"
    with (
        WebhookReceiver(SECRET, tls=other) as receiver,
        pytest.raises(NoticeRefused, match=words),
    ):
        tell(notifier(receiver, ca=ca))
    assert receiver.hooks == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "url must be a text"),
        ({"url": "ftp://example.net/"}, "must begin with https://"),
        ({"url": "https://user:pw@example.net/"}, "must not hold a user name"),
        ({"url": "https://example.net/", "colour": "red"}, "'colour' is not a setting here"),
        ({"url": "https://example.net/", "ca": "no PEM"}, "ca must be certificates in PEM form"),
        ({"url": "https://example.net/", "allow_internal": ["a b"]}, "allow_internal"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(
    given: dict[str, object], words: str
) -> None:
    with pytest.raises(NotifierMisconfigured, match=words):
        WebhookNotifier.from_settings(given, secrets=[SECRET])


def test_a_secret_is_in_no_representation(capsys: pytest.CaptureFixture[str]) -> None:
    build: Callable[..., WebhookNotifier] = WebhookNotifier.from_settings
    told = build({"url": "https://example.net/"}, secrets=[SECRET])
    assert "keys" not in repr(told)
