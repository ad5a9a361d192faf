"""The name server itself: how the console reaches it, and how it asks for serials."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

import dns.name
import dns.tsig

from fleet.primary.base import Key, PrimaryError, PrimaryUnavailable
from fleet.primary.errors import OF_THE_SERVER, SerialBehind, fault_of
from policies.sources.base import Deadline
from policies.sources.dns_errors import DnsFault
from policies.sources.dns_servers import Address, Server
from policies.sources.zone_stream import Stream
from policies.sources.zone_transfer import Conversation

MAX_RECORDS = 5_000_000  # of one zone
_MAX_BYTES = 1 << 30  # of one conversation
_TRIED = 5.0  # seconds, for one address of several
_SECONDS, _SECONDS_A_ZONE, _SECONDS_A_MEGABYTE = 30.0, 0.02, 20.0
_PAUSE = 0.1  # seconds between two rounds of asking


@dataclass(frozen=True, slots=True)
class NameServer:
    """A primary, and the console's own key at it."""

    host: str
    port: int
    key: Key

    @property
    def tsig(self) -> dns.tsig.Key:
        """The key as dnspython has it."""
        return dns.tsig.Key(self.key.name, self.key.secret, dns.tsig.HMAC_SHA256)

    def stream(self, deadline: Deadline) -> Stream:
        """Return a connection that is opened when something is sent. Raises a `DnsFault`."""
        address = self._address(deadline)
        return Stream(address, host=self.host, tls=None, deadline=deadline, max_bytes=_MAX_BYTES)

    def talk(self, stream: Stream, zone: str) -> Conversation:
        """Return a conversation about a zone."""
        return Conversation(stream, dns.name.from_text(zone), self.tsig, MAX_RECORDS)

    def _address(self, deadline: Deadline) -> Address:
        """Return the first address that takes connections, or the last one."""
        *others, last = Server(self.host, self.port).addresses(deadline)
        for address in others:
            wait = max(min(_TRIED, deadline.remaining()), 0.001)
            try:
                socket.create_connection((address.host, address.port), timeout=wait).close()
            except OSError:
                continue
            return address
        return last


def time_for(zones: int, *, size: int = 0) -> Deadline:
    """Return when work on so many zones, of so many bytes together, must have ended."""
    seconds = _SECONDS + _SECONDS_A_ZONE * zones + _SECONDS_A_MEGABYTE * size / 1e6
    return Deadline.after(seconds)


def await_serials(
    server: NameServer, wanted: Mapping[str, int | None], deadline: Deadline
) -> dict[str, PrimaryError]:
    """Ask for the serials of zones until all are there; return the faults of those that are not.

    A zone is there at the serial wanted, or at any where that is None.
    """
    beyond: dict[str, PrimaryError] = {}  # waiting does not bring them back
    while True:
        faults = _missing(server, wanted, deadline)
        beyond |= {zone: one for zone, one in faults.items() if isinstance(one, SerialBehind)}
        wanted = {zone: wanted[zone] for zone in faults if zone not in beyond}
        if not wanted or deadline.remaining() <= _PAUSE:
            return beyond | faults
        time.sleep(_PAUSE)


def _missing(
    server: NameServer, wanted: Mapping[str, int | None], deadline: Deadline
) -> dict[str, PrimaryError]:
    """Ask for each serial once, and return the faults."""
    faults: dict[str, PrimaryError] = {}
    left = dict(wanted)
    try:
        with server.stream(deadline) as stream:
            for zone, serial in wanted.items():
                if fault := _fault(server.talk(stream, zone), zone, serial):
                    faults[zone] = fault
                del left[zone]
    except OF_THE_SERVER as error:
        faults |= {zone: fault_of(error, deed=f"zone {zone} was not asked for") for zone in left}
    return faults


def _fault(talk: Conversation, zone: str, wanted: int | None) -> PrimaryError | None:
    """Return why a zone is not there, None where it is."""
    try:
        held = talk.serial()
    except OF_THE_SERVER:
        raise
    except DnsFault as error:
        talk.stream.close()
        return fault_of(error, deed=f"zone {zone} is not served")
    if wanted is None or wanted == held:
        return None
    if (held - wanted) % (1 << 32) < 1 << 31:  # RFC 1982
        return SerialBehind(zone, wanted=wanted, serial=held)
    return PrimaryUnavailable(
        f"zone {zone} is at serial {held} on {talk.stream.address}, not at {wanted}, which was"
        " written for it: the name server's log says why it did not read that"
    )
