"""The page that says why an address is blocked, or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from console.pages import framed, require
from devices.reports.question import Question, QuestionRefused
from devices.reports.verdict import WORDS, EntryRow, device_note, rows_of, sentence
from devices.reports.why import DeviceAnswer, PolicyAnswer, Why, why
from policies.models import Snapshot
from policies.visible import Person, visible

POLICIES_SHOWN = 50
DEVICES_SHOWN = 200
MOMENTS_SHOWN = 8
SECOND = timedelta(seconds=1)
_BLOCKED_FIRST = {"wholly": 0, "partly": 1, "not": 2}


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment that may be asked about: a snapshot has just been published."""

    snapshot: Snapshot
    at: datetime


@dataclass(frozen=True, slots=True)
class PolicyPart:
    """What the page says of one policy."""

    told: PolicyAnswer
    rows: tuple[EntryRow, ...]

    @property
    def word(self) -> tuple[str, str]:
        """The verdict, with its tone."""
        return ("neutral", "cannot tell") if self.told.trouble else WORDS[self.told.blocked]


@dataclass(frozen=True, slots=True)
class DevicePart:
    """What the page says of one device."""

    told: DeviceAnswer

    @property
    def note(self) -> str:
        """What there is to say beside the verdict."""
        return device_note(self.told)

    @property
    def word(self) -> tuple[str, str]:
        """The verdict, with its tone."""
        return ("neutral", "cannot tell") if self.told.trouble else WORDS[self.told.blocked]


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer as the page says it."""

    told: Why
    sentence: str
    policies: tuple[PolicyPart, ...]  # those with something to say, blocking ones first
    silent: int  # policies of which no list names the addresses
    left_out: int  # policies with something to say that are not shown
    devices: tuple[DevicePart, ...]
    others: tuple[EntryRow, ...]

    @property
    def word(self) -> tuple[str, str]:
        """The verdict, with its tone."""
        return WORDS[self.told.blocked]


def why_page(request: HttpRequest) -> HttpResponse:
    """Show whether an address is blocked, where, and because of what."""
    require(request, "policies.view_policy")
    address, at = (request.GET.get(name, "").strip()[:200] for name in ("address", "at"))
    now = timezone.now()
    context: dict[str, Any] = {
        "address": address,
        "moments": _moments(seen_by=request.user, now=now),
        "now": now,
    }
    if address:
        context |= _asked(request, address=address, at=at, now=now)
    return framed(request, "console/why.html", "Why is it blocked?", context)


def _asked(request: HttpRequest, *, address: str, at: str, now: datetime) -> dict[str, Any]:
    """Return the answer, or why there is none."""
    try:
        asked = Question.read(address=address, at=at, now=now)
    except QuestionRefused as refused:
        return {"refused": str(refused), "refused_parameter": refused.parameter}
    with_devices = request.user.has_perm("devices.view_device")
    told = why(span=asked.span, at=asked.at, with_devices=with_devices, seen_by=request.user)
    return {
        "answer": _answer(told, first=request.GET.get("device", "")),
        "moment": asked.at,
        "may_see_sources": request.user.has_perm("policies.view_source"),
        "may_see_snapshots": request.user.has_perm("policies.view_snapshot"),
    }


def _answer(told: Why, *, first: str) -> Answer:
    """Return the answer, with the device of the key `first` before the others."""
    speaking = sorted(
        (one for one in told.policies if one.blocked != "not" or one.lists or one.trouble),
        key=lambda one: _BLOCKED_FIRST[one.blocked],
    )
    shown = speaking[:POLICIES_SHOWN]
    devices = sorted(
        told.devices,
        key=lambda one: (str(one.device.pk) != first, _BLOCKED_FIRST[one.blocked]),
    )
    return Answer(
        told=told,
        sentence=sentence(told),
        policies=tuple(PolicyPart(one, tuple(rows_of(one.lists))) for one in shown),
        silent=len(told.policies) - len(speaking),
        left_out=len(speaking) - len(shown),
        devices=tuple(DevicePart(one) for one in devices[:DEVICES_SHOWN]),
        others=tuple(rows_of(told.other_lists)),
    )


def _moments(*, seen_by: Person, now: datetime) -> list[Moment]:
    """Return the moments right after the newest snapshots."""
    newest = visible(Snapshot.objects.order_by("-created_at", "-id"), seen_by)
    newest = newest.select_related("policy")
    rows = newest.only("number", "created_at", "policy__name")[:MOMENTS_SHOWN]
    # In whole seconds, as the form can hold it.
    moments = [Moment(row, row.created_at.replace(microsecond=0) + SECOND) for row in rows]
    return [one for one in moments if one.at <= now]
