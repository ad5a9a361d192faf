"""Ask a source for its list: what it says, decoded, and what an answer without any entry means."""

from __future__ import annotations

from dataclasses import dataclass

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.decoders.base import Decoded, DecodeError
from policies.fields import DecryptionFailed
from policies.sources.base import (
    Deadline,
    EmptyList,
    Known,
    Retrieved,
    Source as Engine,
    SourceError,
    SourceMisconfigured,
    SourceRefused,
    SourceUnavailable,
)
from policies.sources.dns_errors import not_fetched

# What asking may end with; anything else is a fault of ours.
FORESEEN = (SourceError, SourceMisconfigured, DecodeError, DecryptionFailed)


@dataclass(frozen=True, slots=True)
class Answer:
    """A source's answer, decoded."""

    retrieved: Retrieved
    decoded: Decoded


def ask(
    engine: Engine, *, name: str, known: Known | None, may_be_empty: bool, deadline: Deadline
) -> Answer | None:
    """Retrieve and decode; None where what is held is still current.

    An empty answer is an EmptyList unless the source may be empty. Raises SourceError, DecodeError.
    """
    try:
        retrieved = engine.retrieve(known=known, deadline=deadline)
    except EmptyList:
        if may_be_empty:
            return Answer(Retrieved("text", (), ""), Decoded(AddressSet.empty(), 0))
        raise
    if retrieved is None:
        if known is None:
            raise SourceRefused(f"{name} answered 'unchanged' to a first question")
        return None
    answer = Answer(retrieved, decode(retrieved))
    if not answer.decoded.addresses and not may_be_empty:
        raise EmptyList(f"{name} holds no entry")
    return answer


def may_help(error: Exception) -> bool:
    """Tell whether asking again later may end better."""
    return isinstance(error, SourceUnavailable) or not isinstance(error, FORESEEN)


def foreseen_text(error: Exception, *, kind: str, list_name: object) -> str:
    """Return one of the FORESEEN errors in words; a list in the DNS is named as its manual does."""
    if isinstance(error, DecodeError) and kind == "dns":
        return f"{not_fetched(str(list_name))} {error}"
    return str(error)
