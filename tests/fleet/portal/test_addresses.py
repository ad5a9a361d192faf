"""The addresses of devices that have no fixed one, and what they may transfer."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from typing import Any

import pytest

from fleet.models import Entry, PortalState, Publication
from fleet.services.addresses import resolve_addresses
from tests.factories import make_policy
from tests.fakes.portal_servers import PortalBind
from tests.fleet.portal.portals import add, fresh, publish_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the system's resolver knows, by name."""
    known: dict[str, list[str]] = {}
    system = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **options: Any) -> list[Any]:
        if host == "127.0.0.1":  # of the primary
            return list(system(host, *rest, **options))
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


def test_the_last_good_addresses_stay(answers: dict[str, list[str]], now: datetime) -> None:
    answers["gw.example"] = ["192.0.2.7", "2001:db8::7"]
    entry = add("gw-1", now=now, ip_type="dynamic", domain_name="gw.example").entry
    add("gw-2", now=now, domain_name="other.example")  # its address is a fixed one
    before = PortalState.objects.get().changes
    assert resolve_addresses(now=now) == 1
    assert fresh(entry).resolved == ["192.0.2.7", "2001:db8::7"]
    assert PortalState.objects.get().changes == before + 1
    later = now + timedelta(minutes=5)
    del answers["gw.example"]
    assert resolve_addresses(now=later) == 0
    assert fresh(entry).resolved == ["192.0.2.7", "2001:db8::7"]
    assert fresh(entry).resolved_at == later
    assert PortalState.objects.get().changes == before + 1


def test_who_was_asked_longest_ago_is_first(answers: dict[str, list[str]], now: datetime) -> None:
    for name in ("one", "two"):
        answers[f"{name}.example"] = ["192.0.2.1"]
        add(name, now=now, ip_type="dynamic", domain_name=f"{name}.example")
    assert resolve_addresses(now=now, seconds=0) == 0
    assert set(Entry.objects.values_list("resolved_at", flat=True)) == {None}
    assert resolve_addresses(now=now) == 2


def test_known_addresses_may_transfer_the_policy_that_is_followed(
    server: PortalBind, answers: dict[str, list[str]], moment: datetime
) -> None:
    policy = make_policy(now=moment, name="edge")
    answers["gw.example"] = ["192.0.2.7"]
    add("gw-1", now=moment, policy=policy, ip_type="dynamic", domain_name="gw.example")
    add("gw-2", now=moment, policy=policy, public_ip="198.51.100.9")
    add("gw-3", now=moment, public_ip="203.0.113.3")  # follows another one
    resolve_addresses(now=moment)
    publish_all(now=moment)
    told = server.include.read_text()
    assert "192.0.2.7" in told
    assert "198.51.100.9" in told
    assert "203.0.113.3" not in told
    Publication.objects.update(by_address=False)
    Entry.objects.update(due_at=moment)
    publish_all(now=moment)
    assert "192.0.2.7" not in server.include.read_text()
