"""One question to several servers in turn, and what their faults come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from policies.sources.base import (
    Deadline,
    EmptyList,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from policies.sources.dns_errors import DnsFault
from policies.sources.dns_servers import Address, Server

MAX_SERVERS = 8
_SHOWN_REASON = 300  # characters of one server's reason in a message

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


def ask_each(
    servers: Sequence[Server],
    *,
    ask: Callable[[Server, Address, Deadline], _Answer],
    failed: str,
    deadline: Deadline,
) -> _Answer:
    """Return what the first server that does not fail answers.

    Raises a `DnsFault`, or where servers failed in several ways `SourceUnavailable` or
    `SourceRefused`, with the sentence `failed` in front; an empty list is an `EmptyList` at once,
    because that is an answer.
    """
    faults: list[DnsFault] = []
    for server, share in shared(servers, deadline):
        try:
            addresses = server.addresses(share)
        except DnsFault as fault:
            faults.append(fault)
            continue
        for address, part in shared(addresses, share):
            try:
                return ask(server, address, part)
            except DnsFault as fault:
                if isinstance(fault, EmptyList):
                    raise _failure(failed, [fault]) from fault
                faults.append(fault)
    raise _failure(failed, faults) from faults[-1]


def _failure(failed: str, faults: list[DnsFault]) -> SourceError:
    """Return what the faults of all servers come to, in words an administrator can act on."""
    reasons = "; ".join(str(fault)[:_SHOWN_REASON] for fault in faults)
    advice = " ".join(dict.fromkeys(fault.advice for fault in faults))
    message = f"{failed} {reasons}. {advice}"
    kinds = {type(fault) for fault in faults}
    if len(kinds) == 1:
        return kinds.pop()(message)
    if any(isinstance(fault, SourceUnavailable) for fault in faults):
        return SourceUnavailable(message)
    return SourceRefused(message)


def shared(items: Sequence[_Item], deadline: Deadline) -> Iterator[tuple[_Item, Deadline]]:
    """Give each item its share of the time left, so that a slow one starves none."""
    for index, item in enumerate(items):
        yield item, Deadline.after(deadline.remaining() / (len(items) - index))
