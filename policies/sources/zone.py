"""A zone, transferred whole or by what changed: AXFR and IXFR over TCP or TLS, with TSIG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

import dns.name
import dns.tsig

from policies.sources.base import Deadline, Known, Retrieved, SourceMisconfigured
from policies.sources.dns_each import MAX_SERVERS, ask_each
from policies.sources.dns_servers import Address, Server, read_name
from policies.sources.settings import Settings
from policies.sources.zone_errors import EmptyZone, NotAsPublished, NotProven
from policies.sources.zone_increment import increment
from policies.sources.zone_proof import check_proof
from policies.sources.zone_records import Kind, ZoneRecords
from policies.sources.zone_stream import Stream
from policies.sources.zone_tls import PORT as TLS_PORT, Tls
from policies.sources.zone_transfer import Conversation, Version
from policies.sources.zone_tsig import SETTINGS as KEY_SETTINGS, read_key

_SETTINGS = (
    *("name", "servers", "port", "tls", "tls_ca", "tls_name", *KEY_SETTINGS),
    *("take", "incremental", "max_records", "max_bytes", "must_prove"),
)
_PORT = 53
_MEBIBYTE = 1 << 20
_TAKEN = {
    "block": (Kind.ADDRESS, Kind.LISTED, Kind.TOKEN, Kind.BLOCKED),
    "allow": (Kind.ADDRESS, Kind.LISTED, Kind.TOKEN, Kind.PASSED),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What came, and whether the zone itself says so."""

    version: Version
    is_proven: bool


@dataclass(frozen=True, slots=True)
class ZoneSource:
    """A zone that a server lets us transfer."""

    label: ClassVar[str] = "DNS zone transfer"
    secrets: ClassVar[tuple[str, ...]] = ("key_secret",)

    name: str
    servers: tuple[Server, ...]
    tls: Tls | None
    key: dns.tsig.Key | None = field(repr=False)  # it prints its secret
    take: str  # which triggers of a response policy zone: "block" or "allow"
    incremental: bool
    max_records: int  # of one transfer
    max_bytes: int  # of one conversation
    must_prove: bool  # a zone without a digest of its list is refused

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        """Build the source; raise `SourceMisconfigured` for a setting that cannot work."""
        read = Settings(settings)
        read.only(_SETTINGS)
        tls = _tls(read)
        port = read.integer("port", default=TLS_PORT if tls else _PORT, low=1, high=65535)
        servers = read.texts("servers", most=MAX_SERVERS, longest=300)
        return cls(
            name=read_name(read),
            servers=tuple(Server.parse(text, port=port) for text in servers),
            tls=tls,
            key=read_key(read),
            take=read.choice("take", default="block", among=_TAKEN),
            incremental=read.boolean("incremental", default=True),
            max_records=read.integer("max_records", default=5_000_000, low=1, high=50_000_000),
            max_bytes=read.integer(
                "max_bytes", default=512 * _MEBIBYTE, low=512, high=4096 * _MEBIBYTE
            ),
            must_prove=read.boolean("must_prove", default=False),
        )

    def retrieve(self, *, known: Known | None, deadline: Deadline) -> Retrieved | None:
        """Transfer the zone from the first server that gives it, or None at the serial held.

        Raises a `DnsFault`, or where servers failed in several ways `SourceUnavailable` or
        `SourceRefused`; a zone without an entry of use is an `EmptyList` at once, unless the zone
        itself says that its list is empty.
        """
        return ask_each(
            self.servers,
            ask=lambda server, address, part: self._retrieve_at(server, address, part, known),
            failed=f"zone {self.name} could not be transferred.",
            deadline=deadline,
        )

    def _retrieve_at(
        self, server: Server, address: Address, deadline: Deadline, known: Known | None
    ) -> Retrieved | None:
        zone = dns.name.from_text(self.name)
        with Stream(
            address, host=server.host, tls=self.tls, deadline=deadline, max_bytes=self.max_bytes
        ) as stream:
            talk = Conversation(stream, zone, self.key, self.max_records)
            held, may_be_held = _serial(known), _is_whole_wanted(known)
            if not talk.is_newer(talk.serial(), held) and not may_be_held:
                return None
            found = self._increased(talk, known) or self._whole(talk)
            # Another machine may have answered the second time.
            if not talk.is_newer(found.version.serial, held) and not may_be_held:
                return None
        return self._retrieved(found, address)

    def _whole(self, talk: Conversation) -> _Found:
        return self._checked(talk.whole(), talk)

    def _increased(self, talk: Conversation, known: Known | None) -> _Found | None:
        """Return what increments lead to, None where it takes the whole zone."""
        version = self._increment(talk, known)
        try:
            return None if version is None else self._checked(version, talk)
        except NotAsPublished:
            return None  # what was held, or one of the increments, is not what it should be

    def _checked(self, version: Version, talk: Conversation) -> _Found:
        about = f"{talk.stream.address}: {self.name} at serial {version.serial}"
        is_proven = check_proof(version.records, about=about)
        if self.must_prove and not is_proven:
            raise NotProven(f"{about}: it has no count and no digest of its list")
        return _Found(version, is_proven)

    def _increment(self, talk: Conversation, known: Known | None) -> Version | None:
        serial = _serial(known)
        if not self.incremental or serial is None or _is_whole_wanted(known):
            return None
        if known is None or known.payload is None:
            return None
        try:
            records = ZoneRecords.decode(known.payload())
        except (OSError, ValueError):
            return None  # lost, damaged, or kept by another version of this program
        if records.zone != self.name.lower():
            return None
        return increment(talk, held=Version(serial, records))

    def _retrieved(self, found: _Found, address: Address) -> Retrieved:
        version = found.version
        # A list that is proven to be empty is one that is meant to be.
        if not found.is_proven and not version.records.holds(*_TAKEN[self.take]):
            raise EmptyZone(f"{address}: {self.name} holds nothing to {self.take}")
        encoded = version.records.encode()
        return Retrieved(
            format=f"zone-{self.take}",
            payload=(encoded,),
            server=str(address),
            version=str(version.serial),
            keep=encoded,
        )


def _tls(read: Settings) -> Tls | None:
    if read.boolean("tls", default=False):
        ca, name = (read.values.get(key, "") for key in ("tls_ca", "tls_name"))
        if not isinstance(ca, str) or not isinstance(name, str):
            raise SourceMisconfigured("tls_ca and tls_name must be texts")
        return Tls.of(ca=ca, name=name.strip())
    for key in ("tls_ca", "tls_name"):
        if read.values.get(key):
            raise SourceMisconfigured(f"{key} is of use with tls only; set tls to true")
    return None


def _serial(known: Known | None) -> int | None:
    """Return the serial held, None where none is."""
    return int(known.version) if known is not None and known.version.isdecimal() else None


def _is_whole_wanted(known: Known | None) -> bool:
    return known is not None and known.is_whole_wanted
