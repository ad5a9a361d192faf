"""A list in the DNS: A and AAAA, APL or TXT records at a name, over TCP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

from policies.sources.base import (
    Deadline,
    Known,
    Retrieved,
    SourceError,
    SourceMisconfigured,
    SourceRefused,
    SourceUnavailable,
)
from policies.sources.dns_errors import DnsFault, EmptyName, Unreachable, not_fetched
from policies.sources.dns_servers import Address, Server, is_dns_name
from policies.sources.dns_transport import Exchange
from policies.sources.dns_walk import ENCODINGS, walk
from policies.sources.settings import Settings, shown

MAX_SERVERS = 8
_SHOWN_REASON = 300  # characters of one server's reason in a message

_SETTINGS = ("name", "servers", "port", "encoding", "max_names", "max_bytes")
_MEBIBYTE = 1 << 20

_Item = TypeVar("_Item")


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
        name = read.text("name").removesuffix(".")
        if not is_dns_name(name):
            raise SourceMisconfigured(
                f"name must be a DNS name (labels of letters, digits, - and _, at most 253 "
                f"characters), not {shown(name)}"
            )
        port = read.integer("port", default=53, low=1, high=65535)
        servers = read.texts("servers", most=MAX_SERVERS, longest=300)
        return cls(
            name=name,
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
        faults: list[DnsFault] = []
        for server, share in _shared(self.servers, deadline):
            try:
                addresses = server.addresses(share)
            except DnsFault as fault:
                faults.append(fault)
                continue
            for address, part in _shared(addresses, share):
                try:
                    return self._retrieve_at(address, part)
                except EmptyName as fault:
                    raise self._failure([fault]) from fault
                except DnsFault as fault:
                    faults.append(fault)
        raise self._failure(faults) from faults[-1]

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

    def _failure(self, faults: list[DnsFault]) -> SourceError:
        """Return what the faults of all servers come to, in words an administrator can act on."""
        reasons = "; ".join(str(fault)[:_SHOWN_REASON] for fault in faults)
        advice = " ".join(dict.fromkeys(fault.advice for fault in faults))
        message = f"{not_fetched(self.name)} {reasons}. {advice}"
        kinds = {type(fault) for fault in faults}
        if len(kinds) == 1:
            return kinds.pop()(message)
        if any(isinstance(fault, SourceUnavailable) for fault in faults):
            return SourceUnavailable(message)
        return SourceRefused(message)


def _shared(items: Sequence[_Item], deadline: Deadline) -> Iterator[tuple[_Item, Deadline]]:
    """Give each item its share of the time left, so that a slow one starves none."""
    for index, item in enumerate(items):
        yield item, Deadline.after(deadline.remaining() / (len(items) - index))
