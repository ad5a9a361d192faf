"""A console that is a portal, with a real name server as its primary."""

from __future__ import annotations

from datetime import UTC, datetime

from pytest_django import Settings

from devices.models import DeviceGroup
from fleet.models import Entry
from fleet.protocol.base import Portal
from fleet.protocol.client import Fetched, fetch
from fleet.protocol.keys import read_key
from fleet.services.entries import Newcomer, NewEntry, add_entry
from fleet.services.publish import Published, publish
from policies.models import Policy
from policies.sources.base import Deadline
from tests.fakes.portal_servers import SECRET, TLS_NAME, PortalServer
from tscm_site.env_fleet import Place, PortalSettings

ACTOR = "test"


def make_portal(settings: Settings, server: PortalServer) -> None:
    """Let the console of this test be a portal whose primary is `server`."""
    settings.TSCM_PORTAL = PortalSettings(
        primary=Place(server.address, server.port),
        domain=server.domain,
        kind=server.kind,
        way=server.way,
        folder=server.settings.folder,
        control=server.control,
        address=Place(server.address, server.tls_port),
        tls_name=TLS_NAME,
        secondaries=(),
        key=SECRET,
    )


def portal_of(server: PortalServer) -> Portal:
    """Return the portal as a device knows it."""
    return Portal(server.address, server.tls_port, server.domain, server.ca, TLS_NAME)


def got(server: PortalServer, made: NewEntry) -> Fetched:
    """Return what the device gets that knows nothing yet."""
    fetched = retrieved(server, made)
    assert fetched is not None
    return fetched


def retrieved(server: PortalServer, made: NewEntry, *, held: int | None = None) -> Fetched | None:
    """Return what a device gets with the key it was linked with."""
    return fetch(
        portal=portal_of(server),
        device_id=made.entry.device_id,
        key=read_key(made.key_text),
        held=held,
        deadline=Deadline.after(20),
    )


def add(
    nickname: str,
    *,
    now: datetime,
    policy: Policy | None = None,
    group: DeviceGroup | None = None,
    **settings: object,
) -> NewEntry:
    """Add a Linux gateway's entry."""
    newcomer = Newcomer(nickname, "iptables", settings, policy=policy, group=group)
    return add_entry(newcomer=newcomer, actor=ACTOR, now=now)


def publish_all(*, now: datetime) -> Published:
    """Publish what is due, and return what was done: something, and without any fault."""
    published = publish(now=now)
    assert published is not None
    assert (published.error, published.faults) == ("", 0)
    return published


def real_now() -> datetime:
    """Return the moment, for what a real server compares with its own clock."""
    return datetime.now(UTC)


def fresh(entry: Entry) -> Entry:
    """Return an entry as its row is."""
    return Entry.objects.select_related("status").get(pk=entry.pk)
