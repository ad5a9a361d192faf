"""Retrieve a source: ask, decode, keep the list, write down what happened."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from netsets.cidr import AddressSet
from netsets.diff import diff
from policies.decoders import decode
from policies.decoders.base import Decoded, DecodeError
from policies.models import ClaimLost, Policy, Retrieval, Source
from policies.services.sources import build_source
from policies.sources.base import (
    Deadline,
    EmptyList,
    SourceError,
    SourceMisconfigured,
    SourceRefused,
    SourceUnavailable,
)
from policies.sources.dns_errors import not_fetched
from policies.states import Outcome, SourceState
from policies.store import get_set_if_whole, put_set

log = logging.getLogger(__name__)

# Below this many prefixes a list may lose any part of itself: three entries less one is no fault.
SHRINK_FLOOR = 10
_WRITTEN = (
    "state", "error", "failures", "server", "checked_at", "retrieved_at", "changed_at",
    "list_digest", "list_prefixes", "holds_change",
)  # fmt: skip

# What a retrieval may end with; anything else is a fault of ours.
_FORESEEN = (SourceError, SourceMisconfigured, DecodeError)


class ListNotStored(SourceUnavailable):
    """A list came and could not be kept; there may be room for it later."""


class ShrankTooFar(SourceRefused):
    """A list lost more than its limit; a person may let that pass once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A source's decoded answer and who gave it."""

    decoded: Decoded
    server: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored list beside the one held before."""

    digest: str
    prefixes: int
    added: int
    removed: int


def retrieve_source(
    *, source_id: int, now: datetime, accept_change: bool = False
) -> Retrieval | None:
    """Retrieve a source once and record it; None when another worker is at it.

    Whatever the source does ends in a Retrieval row: a failed one leaves the last good list in
    force. `accept_change` takes a list that shrank beyond its limit.
    """
    seconds = settings.TSCM_RETRIEVE_SECONDS
    lease = timedelta(seconds=settings.TSCM_CLAIM_SECONDS)
    owner = Source.objects.claim(pk=source_id, now=now, lease=lease)
    if owner is None:
        return None
    started = time.monotonic()
    try:
        source = Source.objects.get(pk=source_id)
        try:
            answer = _ask(source, Deadline.after(seconds), now=now)
            accept = accept_change or source.is_accepted(now=now)
            kept = _keep(source, answer.decoded.addresses, accept_change=accept)
        except Exception as error:
            ended = now + timedelta(seconds=time.monotonic() - started)
            retrieval = _record_failure(source, owner=owner, error=error, now=now, ended=ended)
            if not isinstance(error, _FORESEEN):
                raise  # the row is written and due later, so that it cannot come back at once
            return retrieval
        ended = now + timedelta(seconds=time.monotonic() - started)
        return _record_success(source, owner=owner, answer=answer, kept=kept, now=now, ended=ended)
    finally:
        Source.objects.release(pk=source_id, owner=owner)


def _ask(source: Source, deadline: Deadline, *, now: datetime) -> Answer:
    """Retrieve and decode; an empty answer is an EmptyList unless the source may be empty."""
    nothing = Answer(Decoded(AddressSet.empty(), 0), "")
    try:
        retrieved = build_source(source, now=now).retrieve(known=None, deadline=deadline)
    except EmptyList:
        if source.may_be_empty:
            return nothing
        raise
    if retrieved is None:  # only ever an answer to `known`, which was not given
        raise SourceRefused(f"{source.name} answered 'unchanged' to a first question")
    answer = Answer(decode(retrieved), retrieved.server)
    if not answer.decoded.addresses and not source.may_be_empty:
        raise EmptyList(f"{source.name} holds no entry")
    return answer


def _keep(source: Source, addresses: AddressSet, *, accept_change: bool) -> Kept:
    """Store the list unless it lost more than the source may lose at once."""
    prefixes = len(addresses.prefixes())
    least = source.list_prefixes * (100 - source.shrink_limit) / 100
    if source.list_prefixes >= SHRINK_FLOOR and prefixes < least and not accept_change:
        lost = 100 - 100 * prefixes / source.list_prefixes
        raise ShrankTooFar(
            f"{source.name} shrank from {source.list_prefixes} to {prefixes} prefixes "
            f"({lost:.1f} % less; its limit is {source.shrink_limit} %). The last good list stays "
            f"in force. If the change is meant, update once with 'accept change'."
        )
    digest = _store(source, addresses)
    if digest == source.list_digest:
        return Kept(digest, prefixes, 0, 0)
    difference = diff(get_set_if_whole(source.list_digest, of=source.name), addresses)
    return Kept(digest, prefixes, difference.added.count, difference.removed.count)


def _store(source: Source, addresses: AddressSet) -> str:
    try:
        return put_set(addresses)
    except OSError as error:
        raise ListNotStored(
            f"{source.name} was retrieved but its list could not be stored "
            f"({error.strerror or error}). The last good list stays in force. Make room on the "
            f"disk of the data folder; the next try follows by itself."
        ) from error


def _record_success(
    source: Source, *, owner: str, answer: Answer, kept: Kept, now: datetime, ended: datetime
) -> Retrieval:
    changed = kept.digest != source.list_digest
    source.state, source.error, source.failures = SourceState.CURRENT, "", 0
    source.accepted_until, source.holds_change = None, False
    source.server = answer.server
    source.checked_at = source.retrieved_at = now
    source.list_digest, source.list_prefixes = kept.digest, kept.prefixes
    if changed:
        source.changed_at = now
    decoded = answer.decoded
    retrieval = Retrieval(
        source=source,
        started_at=now,
        finished_at=ended,
        outcome=Outcome.CHANGED if changed else Outcome.UNCHANGED,
        server=answer.server,
        entries=decoded.entries,
        prefixes=kept.prefixes,
        host_bits_cleared=decoded.host_bits_cleared,
        skipped=[list(pair) for pair in decoded.skipped],
        added=kept.added,
        removed=kept.removed,
        list_digest=kept.digest,
    )
    _write(source, retrieval, owner=owner, now=now)
    log.info(
        "retrieve source=%s outcome=%s entries=%d prefixes=%d in %.1fs",
        source.name, retrieval.outcome, decoded.entries, kept.prefixes, retrieval.seconds,
    )  # fmt: skip
    return retrieval


def _record_failure(
    source: Source, *, owner: str, error: Exception, now: datetime, ended: datetime
) -> Retrieval:
    again = isinstance(error, SourceUnavailable) or not isinstance(error, _FORESEEN)
    source.state = SourceState.UNAVAILABLE if again else SourceState.REFUSED
    source.holds_change = isinstance(error, ShrankTooFar)
    source.error, source.failures, source.checked_at = (
        _text(source, error),
        source.failures + 1,
        now,
    )
    retrieval = Retrieval(
        source=source,
        started_at=now,
        finished_at=ended,
        outcome=Outcome.UNAVAILABLE if again else Outcome.REFUSED,
        error=source.error,
    )
    _write(source, retrieval, owner=owner, now=now)
    log.warning("retrieve source=%s outcome=%s: %s", source.name, retrieval.outcome, source.error)
    return retrieval


def _text(source: Source, error: Exception) -> str:
    if not isinstance(error, _FORESEEN):
        return (
            f"{source.name} could not be retrieved: unexpected failure ({type(error).__name__}). "
            f"The last good list stays in force. The details are in the worker's log; report them."
        )
    if isinstance(error, DecodeError) and source.kind == "dns":
        return f"{not_fetched(str(source.settings['name']))} {error}"
    return str(error)


def _write(source: Source, retrieval: Retrieval, *, owner: str, now: datetime) -> None:
    """Write both rows and leave the policies due, in one transaction.

    What a person asked for meanwhile, and so left due, stays asked for.
    """
    with transaction.atomic():
        mine = Source.objects.filter(pk=source.pk, claimed_by=owner)
        if mine.update(**{name: getattr(source, name) for name in _WRITTEN}) != 1:
            raise ClaimLost(f"source {source.name} was taken over by another worker")
        mine.filter(due_at=source.due_at).update(
            due_at=source.next_due(after=now), accepted_until=source.accepted_until
        )
        retrieval.save()
        # Also after a failure: a policy tells which of its sources is missing.
        Policy.objects.filter(sources=source).update(due_at=now)
