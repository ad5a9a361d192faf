"""A list in the DNS: A and AAAA, APL or TXT records at a name, over TCP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from policies.sources.base import Deadline, Known, Retrieved
from policies.sources.dns_each import MAX_SERVERS, ask_each
from policies.sources.dns_errors import Unreachable, not_fetched
from policies.sources.dns_servers import Address, Server, read_name
from policies.sources.dns_transport import Exchange
from policies.sources.dns_walk import ENCODINGS, walk
from policies.sources.settings import Settings

_SETTINGS = ("name", "servers", "port", "encoding", "max_names", "max_bytes")
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class DnsListSource:
    """A list at a DNS name, asked for at one or several servers."""

    label: ClassVar[str] = "DNS list"
    secrets: ClassVar[tuple[str, ...]] = ()

    name: str
    servers: tuple[Server, ...]
    encoding: str
    max_names: int  # of the list, its own name included
    max_bytes: int  # of all answers together

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Self:
        """Build the source; raise `SourceMisconfigured` for a setting that cannot work."""
        read = Settings(settings)
        read.only(_SETTINGS)
        port = read.integer("port", default=53, low=1, high=65535)
        servers = read.texts("servers", most=MAX_SERVERS, longest=300)
        return cls(
            name=read_name(read),
            servers=tuple(Server.parse(text, port=port) for text in servers),
            encoding=read.choice("encoding", default="auto", among=ENCODINGS),
            max_names=read.integer("max_names", default=1024, low=1, high=16384),
            max_bytes=read.integer(
                "max_bytes", default=64 * _MEBIBYTE, low=512, high=1024 * _MEBIBYTE
            ),
        )

    def retrieve(self, *, known: Known | None, deadline: Deadline) -> Retrieved:  # noqa: ARG002
        """Retrieve the list whole from the first server that gives it whole.

        `known` is not used: a DNS list has no version of its own. Raises a `DnsFault`, or where
        servers failed in several ways `SourceUnavailable` or `SourceRefused`; an empty list is an
        `EmptyList` at once, because that is an answer.
        """
        return ask_each(
            self.servers,
            ask=lambda _, address, part: self._retrieve_at(address, part),
            failed=not_fetched(self.name),
            deadline=deadline,
        )

    def _retrieve_at(self, address: Address, deadline: Deadline) -> Retrieved:
        try:
            with Exchange(address, deadline=deadline, max_bytes=self.max_bytes) as exchange:
                payload = walk(
                    exchange, name=self.name, encoding=self.encoding, max_names=self.max_names
                )
        except OSError as error:
            # What the system refuses us, such as a socket of a family that it does not have.
            raise Unreachable(f"{address}: {error.strerror}") from error
        return Retrieved(format="dns", payload=payload, server=str(address))
