"""A zone's server says that its zone changed, and the zone's sources are due."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dns.message
import pytest
from dns.rcode import Rcode

from policies.management.commands import hear_notify as command
from policies.models import Source
from policies.services import find_or_make_source
from policies.services.notify import QUIET, hear_notify
from policies.sources.notify import Notify, read_notify
from policies.sources.notify_listener import NotifyListener
from tests.fakes.authority import write_zone
from tests.fakes.bind import Bind, BindMissing
from tests.fakes.foreground import free_port
from tests.fakes.tsig import TsigKey
from tests.policies.sources.test_notify import ZONE, notify, signed

pytestmark = pytest.mark.django_db

KEY = TsigKey()
SERVER = "192.0.2.53"


def waiting(now: datetime, **settings: Any) -> Source:
    """Make a source of the zone that is due in an hour."""
    source = find_or_make_source(
        kind="zone",
        settings={"name": ZONE, "servers": [SERVER], **settings},
        name=f"zone {len(settings)}",
        now=now,
    )
    source.due_at = now + timedelta(hours=1)
    source.save(update_fields=["due_at"])
    return source


def due_at(source: Source) -> datetime:
    return Source.objects.get(pk=source.pk).due_at


def said(wire: bytes | None = None) -> Notify:
    return read_notify(wire or notify().to_wire())


def test_a_notify_leaves_its_source_due(now: datetime) -> None:
    source = waiting(now)
    heard = hear_notify(notify=said(), server=SERVER, now=now)
    assert heard.due == (source.name,)
    assert due_at(source) == now


@pytest.mark.parametrize("servers", [[f"{SERVER}:5353"], ["dns.example", SERVER]])
def test_each_server_that_a_source_asks_is_heard(now: datetime, servers: list[str]) -> None:
    waiting(now, servers=servers)
    assert hear_notify(notify=said(), server=SERVER, now=now).due


def test_the_server_that_answered_last_is_heard(now: datetime) -> None:
    source = waiting(now, servers=["dns.example"])
    assert not hear_notify(notify=said(), server=SERVER, now=now).sources
    Source.objects.filter(pk=source.pk).update(server=f"{SERVER}#53")
    assert hear_notify(notify=said(), server=SERVER, now=now).due


def test_nobody_else_is_heard(now: datetime) -> None:
    source = waiting(now)
    assert not hear_notify(notify=said(), server="192.0.2.54", now=now).sources
    other = said(notify(zone="other.example").to_wire())
    assert not hear_notify(notify=other, server=SERVER, now=now).sources
    Source.objects.filter(pk=source.pk).update(is_enabled=False)
    assert not hear_notify(notify=said(), server=SERVER, now=now).sources
    assert due_at(source) == now + timedelta(hours=1)


def test_a_signed_notify_must_be_signed_with_the_key_of_the_source(now: datetime) -> None:
    source = waiting(now, **KEY.settings)
    other = signed(TsigKey(secret="b3RoZXI="))
    assert not hear_notify(notify=said(other), server=SERVER, now=now).sources
    assert due_at(source) == now + timedelta(hours=1)
    heard = hear_notify(notify=said(signed()), server=SERVER, now=now)
    assert heard.due == (source.name,)
    assert heard.key == KEY.key


def test_a_signed_notify_of_a_source_without_a_key_is_refused(now: datetime) -> None:
    waiting(now)
    assert not hear_notify(notify=said(signed()), server=SERVER, now=now).sources


def test_a_source_checked_a_moment_ago_is_due_when_it_was_quiet(now: datetime) -> None:
    source = waiting(now)
    Source.objects.filter(pk=source.pk).update(checked_at=now - timedelta(seconds=3))
    assert hear_notify(notify=said(), server=SERVER, now=now).due
    assert due_at(source) == now - timedelta(seconds=3) + QUIET


def test_a_source_that_is_due_stays_due(now: datetime) -> None:
    source = waiting(now)
    Source.objects.filter(pk=source.pk).update(due_at=now - timedelta(minutes=1))
    heard = hear_notify(notify=said(), server=SERVER, now=now)
    assert (heard.sources, heard.due) == ((source.name,), ())
    assert due_at(source) == now - timedelta(minutes=1)


@pytest.fixture
def nudges(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Count the nudges instead of asking a broker."""
    found: list[None] = []
    monkeypatch.setattr(command, "nudge", lambda: found.append(None))
    monkeypatch.setattr(command, "close_old_connections", lambda: None)
    return found


def test_the_edge_answers_and_nudges(now: datetime, nudges: list[None]) -> None:
    waiting(now + timedelta(days=1000))
    answer = command.hear(notify().to_wire(), SERVER)
    assert answer is not None
    assert dns.message.from_wire(answer).rcode() == Rcode.NOERROR
    assert nudges == [None]


def test_the_edge_refuses_whom_nobody_waits_for(nudges: list[None]) -> None:
    answer = command.hear(notify().to_wire(), SERVER)
    assert answer is not None
    assert dns.message.from_wire(answer).rcode() == Rcode.REFUSED
    assert command.hear(b"junk", SERVER) is None
    assert nudges == []


def test_a_change_in_bind_leaves_its_source_due(
    tmp_path: Path, now: datetime, nudges: list[None]
) -> None:
    zone = write_zone(tmp_path / "zone", ["a A 192.0.2.1"])
    with NotifyListener("127.0.0.1", free_port(), hear=command.hear) as listener:
        told = f"127.0.0.1 port {listener.port} key {KEY.name}"
        try:
            bind = Bind({ZONE: zone}, keys=[KEY], notified=told)
        except BindMissing as error:
            pytest.skip(str(error))
        with bind:
            later = now + timedelta(days=1000)
            source = waiting(later, servers=[bind.server], **KEY.settings)
            step_until_nudged(listener, nudges)  # BIND says NOTIFY when it starts, too
            Source.objects.filter(pk=source.pk).update(due_at=later)
            bind.change(ZONE, KEY, add=["b A 192.0.2.2"])
            step_until_nudged(listener, nudges)
    assert due_at(source) < later


def step_until_nudged(listener: NotifyListener, nudges: list[None]) -> None:
    nudges.clear()
    deadline = time.monotonic() + 20
    while not nudges and time.monotonic() < deadline:
        listener.step()
    assert nudges == [None]
