"""Try a source before it is used: retrieve its list whole, look at it, keep nothing.

    try_source(*, kind, settings, held=None, may_be_empty=False) -> Trial

It runs where it is called: in a thread of the console, for somebody who waits. So it ends after
TRIAL_SECONDS, and only so many run at once (`trial_slots`). No row and no file is written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings as site

from netsets.diff import Named
from policies.fields import DecryptionFailed
from policies.models import Source
from policies.services.ask import FORESEEN, Answer, ask, foreseen_text, may_help
from policies.services.rows import Refused
from policies.services.sources import (
    build_engine,
    merged_secrets,
    secrets_of,
    settings_key,
    told_to,
    without_secrets,
)
from policies.services.trial import Trial, examine
from policies.services.trial_slots import trial_slot
from policies.sources import SOURCES, user_list
from policies.sources.base import Deadline, Source as Engine, SourceMisconfigured
from policies.store import map_set

log = logging.getLogger(__name__)

TRIAL_SECONDS = 30.0
MAX_COMPARED = 50  # of the site's other lists, the largest: 0.1 s each where both hold a million


@dataclass(frozen=True, slots=True)
class _Others:
    """The site's other lists, and the names of those that it was not compared with."""

    lists: Sequence[Named]
    left_out: tuple[str, ...]


def try_source(
    *,
    kind: str,
    settings: Mapping[str, object],
    held: Source | None = None,
    may_be_empty: bool = False,
) -> Trial:
    """Retrieve the list of these settings and tell what is in it, beside the site's other lists.

    `held` is the source that has them now: its secrets fill in for those not given where the same
    server is told them, and its own list is none of the others. Raises Refused for settings that
    cannot work, and AllSlotsTaken.
    """
    engine = _engine(kind, settings, held)
    with trial_slot():
        started = time.monotonic()
        deadline = Deadline.after(min(TRIAL_SECONDS, site.TSCM_RETRIEVE_SECONDS))
        try:
            answer = ask(
                engine, name="the source", known=None, may_be_empty=may_be_empty, deadline=deadline
            )
        except FORESEEN as error:
            text = foreseen_text(error, kind=kind, list_name=settings.get("name"))
            seconds = time.monotonic() - started
            log.info("try kind=%s outcome=%s in %.1fs", kind, type(error).__name__, seconds)
            return Trial(seconds=seconds, error=text, may_help_later=may_help(error))
        seconds = time.monotonic() - started
        assert answer is not None  # noqa: S101  without `known` there is no "unchanged"
        return _told(answer, _others(kind, settings, held), seconds=seconds, kind=kind)


def _engine(kind: str, settings: Mapping[str, object], held: Source | None) -> Engine:
    """Build the engine, with the secrets that `held` has; raises Refused."""
    if kind not in SOURCES:
        raise Refused(f"kind must be one of {', '.join(SOURCES)}", setting="kind")
    if kind == user_list.KIND:
        raise Refused(
            "a list kept here has its records on its page; try another kind", setting="kind"
        )
    try:
        known = {}
        # What is held was given to one kind and one server, and is told to no other.
        if held is not None and _told_to(held) == told_to(kind=kind, settings=settings):
            known = secrets_of(held)
        secrets = merged_secrets(kind=kind, settings=settings, held=known)
        plain = without_secrets(kind=kind, settings=settings)
        return build_engine(kind=kind, settings={**plain, **secrets})
    except (SourceMisconfigured, DecryptionFailed) as error:
        raise Refused(str(error), setting="settings") from error


def _told_to(source: Source) -> tuple[object, ...]:
    return told_to(kind=source.kind, settings=source.settings)


def _told(answer: Answer, others: _Others, *, seconds: float, kind: str) -> Trial:
    contents = examine(
        answer.decoded,
        server=answer.retrieved.server,
        others=others.lists,
        not_compared=others.left_out,
    )
    log.info("try kind=%s outcome=ok entries=%d in %.1fs", kind, contents.entries, seconds)
    return Trial(seconds=seconds, contents=contents, decoded=answer.decoded)


def _others(kind: str, settings: Mapping[str, object], held: Source | None) -> _Others:
    """Return the lists that the site holds already, but for those of the same source."""
    same = settings_key(kind=kind, settings=settings)
    rows = Source.objects.exclude(list_digest="").exclude(settings_key=same)
    if held is not None:
        rows = rows.exclude(pk=held.pk)
    names = rows.order_by("-list_prefixes", "id").values_list("name", "list_digest")
    lists: list[Named] = []
    left_out: list[str] = []
    for name, digest in names:
        try:
            if len(lists) < MAX_COMPARED:
                lists.append((name, map_set(digest)))
                continue
        except (OSError, ValueError) as error:
            log.warning("the list of %s cannot be read: %s", name, error)
        left_out.append(name)
    return _Others(lists, tuple(left_out))
