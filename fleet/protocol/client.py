"""A device's side of Web Automation: its settings fetched, its status reported.

Both go over DNS over TLS (RFC 9103), each message signed with the device's key (RFC 8945).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import dns.name
import dns.tsig
import dns.update

from fleet.protocol.base import DeviceKey, Portal, Settings, Status
from fleet.protocol.errors import CONNECT, NotTrusted
from fleet.protocol.faults import not_reported, not_retrieved
from fleet.protocol.keys import tsig_key
from fleet.protocol.names import settings_zone, status_name, status_zone
from fleet.protocol.settings_zone import Record, is_whole, read_settings
from fleet.protocol.status_zone import NAMES, records_of
from fleet.protocol.transfer import Version, transfer
from fleet.protocol.values import rdata
from policies.sources.base import Deadline, SourceMisconfigured
from policies.sources.dns_each import shared
from policies.sources.dns_errors import DnsFault
from policies.sources.dns_servers import Server
from policies.sources.zone_stream import Stream
from policies.sources.zone_tls import Tls
from policies.sources.zone_transfer import Asked, Conversation

MAX_RECORDS = 2_000  # of a transfer
MAX_BYTES = 1 << 20  # of a conversation
_TTL = 60  # seconds; of a status

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Fetched:
    """New settings, and what the next question needs."""

    serial: int
    settings: Settings
    server: str  # that answered, as address#port
    clock_offset: float | None  # seconds that the clock here is ahead, to about a second
    records: tuple[Record, ...]  # as they came, so with the secrets sealed


def fetch(
    *,
    portal: Portal,
    device_id: str,
    key: DeviceKey,
    held: int | None,
    deadline: Deadline,
    records: Iterable[Record] = (),
) -> Fetched | None:
    """Return the settings that a portal lays down; None where the serial `held` is current.

    With the `records` that came with it, only what changed is transferred. Raises a
    `WebAutomationError`, and `NotADeviceId` for an ID that can have no zone.
    """
    zone = dns.name.from_text(settings_zone(device_id, portal.domain))
    before = None if held is None else Version(held, tuple((o, t) for o, t in records))
    tsig = tsig_key(device_id, key)
    try:
        found = _ask_each(portal, zone, tsig, deadline, lambda talk: _newer(talk, before))
    except _Failed as failed:
        raise not_retrieved(failed.faults, portal=portal, device_id=device_id) from failed
    if found is None:
        return None
    version, asked = found
    return Fetched(
        serial=version.serial,
        settings=read_settings(version.records, device_id=device_id, keys=(key,)),
        server=str(asked.stream.address),
        clock_offset=asked.clock_offset,
        records=version.records,
    )


def report(
    *, portal: Portal, device_id: str, key: DeviceKey, status: Status, deadline: Deadline
) -> float | None:
    """Replace what the portal knows of the device's status.

    Returns the seconds that the clock here is ahead of the portal's, as `Fetched` has them.
    Raises a `WebAutomationError` or `NotADeviceId`.
    """
    zone = dns.name.from_text(status_zone(portal.domain))
    update = status_update(status, device_id=device_id, domain=portal.domain)

    def ask(talk: Conversation) -> float | None:
        asked = talk.ask(update)
        next(asked.answers())
        asked.finish()
        return asked.clock_offset

    try:
        return _ask_each(portal, zone, tsig_key(device_id, key), deadline, ask)
    except _Failed as failed:
        raise not_reported(failed.faults, portal=portal, device_id=device_id) from failed


def status_update(status: Status, *, device_id: str, domain: str) -> dns.update.UpdateMessage:
    """Return the update (RFC 2136) that puts a status in the place of the one before."""
    update = dns.update.UpdateMessage(dns.name.from_text(status_zone(domain)))
    at = dns.name.from_text(status_name(device_id, domain))
    texts = records_of(status)
    for name in NAMES:
        owner = dns.name.from_text(name, at)
        update.delete(owner, "TXT")
        if name in texts:
            update.add(owner, _TTL, "TXT", rdata(texts[name]))
    return update


def _newer(talk: Conversation, held: Version | None) -> tuple[Version, Asked] | None:
    """Return what a portal has now, and the question for its serial; None at the serial held."""
    serial_held = None if held is None else held.serial
    asked, serial = talk.ask_serial()
    if not talk.is_newer(serial, serial_held):
        return None
    for since in (held, None):
        version = transfer(talk, held=since)
        # Another machine may have answered the second time.
        if not talk.is_newer(version.serial, serial_held):
            return None
        if is_whole(version.records):
            break
    return version, asked


class _Failed(Exception):
    """Every address of a portal failed."""

    def __init__(self, faults: list[DnsFault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def _ask_each(
    portal: Portal,
    zone: dns.name.Name,
    key: dns.tsig.Key,
    deadline: Deadline,
    ask: Callable[[Conversation], _Answer],
) -> _Answer:
    """Return what the first of a portal's addresses that does not fail answers.

    Raises `_Failed`, or `NotTrusted` where the portal's own settings cannot work.
    """
    try:
        tls = Tls.of(ca=portal.ca, name=portal.tls_name)
    except SourceMisconfigured as error:
        raise NotTrusted(
            f"{CONNECT} at {portal}: the CA or the TLS name that the link was made with cannot be "
            f"used ({error}). Link again with certificates in PEM form and the name in them."
        ) from error
    faults: list[DnsFault] = []
    try:
        addresses = Server(portal.host, portal.port).addresses(deadline)
    except DnsFault as fault:
        raise _Failed([fault]) from fault
    for address, share in shared(addresses, deadline):
        try:
            with Stream(
                address, host=portal.host, tls=tls, deadline=share, max_bytes=MAX_BYTES
            ) as stream:
                return ask(Conversation(stream, zone, key, MAX_RECORDS))
        except DnsFault as fault:
            faults.append(fault)
    raise _Failed(faults)
