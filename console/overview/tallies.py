"""What of logs the start page counts: what waits, what fails, who was refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.urls import reverse

from devices.reports.visible import is_limited
from logs.reports.totals import senders_to_decide, unsent_batches
from logs.states import BatchState
from policies.states import Tone


@dataclass(frozen=True, slots=True)
class LogTally:
    """A number that a person may have to look after, and where."""

    number: int
    tone: Tone
    label: str
    url: str


def upload_tallies(*, failing: int, devices: frozenset[int] | None) -> Iterator[LogTally]:
    """Yield what of these devices is to be uploaded and is not yet, of all where none are named.

    `failing` of them cannot upload.
    """
    batches, unsent = reverse("admin:logs_batch_changelist"), unsent_batches(devices=devices)
    found: tuple[tuple[int, Tone, str, str], ...] = (
        (failing, "warning", "uploads failing", reverse("admin:logs_spool_changelist")),
        (
            unsent[BatchState.REFUSED],
            BatchState.REFUSED.tone,
            "batches refused",
            f"{batches}?state__exact={BatchState.REFUSED}",
        ),
        (
            unsent[BatchState.WAITING],
            BatchState.WAITING.tone,
            "batches wait for upload",
            f"{batches}?state__exact={BatchState.WAITING}",
        ),
    )
    yield from (LogTally(*one) for one in found if one[0])


def may_see_senders(user: User | AnonymousUser) -> bool:
    """Tell whether a user may see who sends lines that nobody decided about.

    They belong to no device yet, so they are for those who see all devices.
    """
    return user.has_perm("logs.view_sender") and not is_limited(user)


def sender_tallies() -> Iterator[LogTally]:
    """Yield of how many senders lines are refused that nobody decided about."""
    if number := senders_to_decide():
        url = f"{reverse('admin:logs_sender_changelist')}?decided=no"
        yield LogTally(number, "warning", "refused senders", url)
