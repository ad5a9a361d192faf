"""Retrieve a source: ask, decode, keep the list, write down what happened."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from policies.models import ClaimLost, Policy, Retrieval, Source
from policies.services.ask import FORESEEN, Answer, ask, foreseen_text, may_help
from policies.services.keep import Kept, ShrankTooFar, keep_list
from policies.services.sources import build_source
from policies.sources.base import Deadline, Known
from policies.sources.dns_errors import not_fetched
from policies.states import Outcome, SourceState
from policies.store import get_blob, is_stored

log = logging.getLogger(__name__)

# A server that wrongly says "unchanged" freezes a list for so long at most.
WHOLE_EVERY = timedelta(days=1)
_WRITTEN = (
    "state", "error", "failures", "server", "checked_at", "retrieved_at", "changed_at",
    "list_digest", "list_prefixes", "list_entries", "list_skipped", "entries_digest",
    "ledger_digest", "version", "payload_digest", "whole_at", "holds_change",
)  # fmt: skip


def retrieve_source(
    *, source_id: int, now: datetime, accept_change: bool = False
) -> Retrieval | None:
    """Retrieve a source once and record it; None when another worker is at it.

    Whatever the source does ends in a Retrieval row: a failed one leaves the last good list in
    force. `accept_change` takes a list that shrank beyond its limit.
    """
    lease = timedelta(seconds=settings.TSCM_CLAIM_SECONDS)
    owner = Source.objects.claim(pk=source_id, now=now, lease=lease)
    if owner is None:
        return None
    started = time.monotonic()

    def ended() -> datetime:
        return now + timedelta(seconds=time.monotonic() - started)

    try:
        source = Source.objects.get(pk=source_id)
        accept = accept_change or source.is_accepted(now=now)
        known = None if accept else _known(source, now=now)
        try:
            answer = _ask(source, known, Deadline.after(settings.TSCM_RETRIEVE_SECONDS), now=now)
            kept = None
            if answer is not None:
                kept = keep_list(
                    source, answer.retrieved, answer.decoded, now=now, accept_change=accept
                )
        except Exception as error:
            retrieval = _record_failure(source, owner=owner, error=error, now=now, ended=ended())
            if not isinstance(error, FORESEEN):
                raise  # the row is written and due later, so that it cannot come back at once
            return retrieval
        if known is None or known.is_whole_wanted:
            source.whole_at = now
        if answer is None or kept is None:
            return _record_unchanged(source, owner=owner, now=now, ended=ended())
        return _record_success(source, answer, kept, owner=owner, now=now, ended=ended())
    finally:
        Source.objects.release(pk=source_id, owner=owner)


def _known(source: Source, *, now: datetime) -> Known | None:
    """Return what is held of the source's last answer; None where that is nothing.

    The list is wanted whole once a day at least, and where a file of what is held was lost.
    """
    if not source.version or not source.list_digest:
        return None
    age = None if source.whole_at is None else now - source.whole_at
    is_old = age is None or not timedelta(0) <= age < WHOLE_EVERY
    payload = source.payload_digest
    files = [source.list_digest, source.entries_digest, source.ledger_digest]
    is_lost = not all(map(is_stored, [*files, payload] if payload else files))
    return Known(
        source.version,
        (lambda: bytes(get_blob(payload))) if payload and not is_lost else None,
        is_whole_wanted=is_old or is_lost,
    )


def _ask(
    source: Source, known: Known | None, deadline: Deadline, *, now: datetime
) -> Answer | None:
    return ask(
        build_source(source, now=now),
        name=source.name,
        known=known,
        may_be_empty=source.may_be_empty,
        deadline=deadline,
    )


def _record_unchanged(source: Source, *, owner: str, now: datetime, ended: datetime) -> Retrieval:
    source.state, source.error, source.failures = SourceState.CURRENT, "", 0
    source.checked_at = source.retrieved_at = now
    retrieval = Retrieval(
        source=source,
        started_at=now,
        finished_at=ended,
        outcome=Outcome.UNCHANGED,
        server=source.server,
        entries=source.list_entries,
        prefixes=source.list_prefixes,
        list_digest=source.list_digest,
    )
    _write(source, retrieval, owner=owner, now=now, instead_of=_look_before(retrieval))
    log.info("retrieve source=%s outcome=unchanged in %.1fs", source.name, retrieval.seconds)
    return retrieval


def _look_before(retrieval: Retrieval) -> Retrieval | None:
    """Return the row whose place another takes: of many looks at a file that saw the same, one."""
    source = retrieval.source
    newest = source.retrievals.order_by("-started_at", "-id").first() if source.is_watched else None
    if newest is None or Outcome.CHANGED in {newest.outcome, retrieval.outcome}:
        return None
    is_same = (newest.outcome, newest.error) == (retrieval.outcome, retrieval.error)
    return newest if is_same else None


def _record_success(
    source: Source, answer: Answer, kept: Kept, *, owner: str, now: datetime, ended: datetime
) -> Retrieval:
    changed = kept.list_digest != source.list_digest
    decoded = answer.decoded
    source.state, source.error, source.failures = SourceState.CURRENT, "", 0
    source.accepted_until, source.holds_change = None, False
    source.server = answer.retrieved.server
    source.version = answer.retrieved.version or ""
    source.checked_at = source.retrieved_at = now
    source.list_digest, source.list_prefixes = kept.list_digest, kept.prefixes
    source.entries_digest, source.ledger_digest = kept.entries_digest, kept.ledger_digest
    source.payload_digest = kept.payload_digest
    source.list_entries = decoded.entries
    source.list_skipped = decoded.rejected
    if changed:
        source.changed_at = now
    retrieval = Retrieval(
        source=source,
        started_at=now,
        finished_at=ended,
        outcome=Outcome.CHANGED if changed else Outcome.UNCHANGED,
        server=source.server,
        entries=decoded.entries,
        prefixes=kept.prefixes,
        host_bits_cleared=decoded.host_bits_cleared,
        skipped=[list(pair) for pair in decoded.skipped],
        samples=list(decoded.samples),
        added=kept.added,
        removed=kept.removed,
        list_digest=kept.list_digest,
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
    again = may_help(error)
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
    _write(source, retrieval, owner=owner, now=now, instead_of=_look_before(retrieval))
    log.warning("retrieve source=%s outcome=%s: %s", source.name, retrieval.outcome, source.error)
    return retrieval


def _text(source: Source, error: Exception) -> str:
    if not isinstance(error, FORESEEN):
        return (
            f"{source.name} could not be retrieved: unexpected failure ({type(error).__name__}). "
            f"The last good list stays in force. The details are in the worker's log; report them."
        )
    name = source.settings.get("name")
    text = foreseen_text(error, kind=source.kind, list_name=name)
    # One that was made for a device is its block or allow list, and is named as such.
    is_own_zone = source.kind == "zone" and source.is_private
    return f"{not_fetched(str(name))} {text}" if is_own_zone else text


def _write(
    source: Source,
    retrieval: Retrieval,
    *,
    owner: str,
    now: datetime,
    instead_of: Retrieval | None = None,
) -> None:
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
        if instead_of is not None:
            instead_of.delete()
        retrieval.save()
        # Also after a failure: a policy tells which of its sources is missing.
        Policy.objects.filter(sources=source).update(due_at=now)
        Source.objects.release(pk=source.pk, owner=owner)  # here: one commit less to wait for
