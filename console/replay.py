"""Replay before publish: what a policy would have dropped, had it been in force."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from console.charts import bar
from console.hits import MAY_SEE, Line, lines_of
from console.hits_form import NAMES_OFFERED, Choice, Field, presets_of
from console.pages import framed, require
from devices.models import Device
from devices.reports.visible import device_ids
from logs.events.replay import Half, Row
from logs.reports.asked import AskedRefused, Given
from logs.reports.hits import ReportRefused
from logs.reports.replay import (
    HELD,
    IN_FORCE,
    NOTHING,
    NOW,
    Question,
    Report,
    read_replay,
    replay_policy,
)
from logs.states import Verdict
from policies.models import Policy, Source
from policies.states import Told
from policies.visible import visible
from policies.words import count

SNAPSHOTS_OFFERED = 20
KEPT_SECONDS = 600  # what is told beside what the guard holds
_ACTIONS = {"would_drop": "allowed,monitored", "would_pass": "dropped"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A row of a table as the page shows it."""

    told: Row
    url: str  # of its connections; "" where none can be said
    bar: SafeString


@dataclass(frozen=True, slots=True)
class Table:
    """One table of connections that would go another way."""

    name: str
    heading: str
    others: str
    rows: tuple[Shown, ...]
    total: int  # rows there are; 0 where that is not counted
    has_entries: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One of the two ways that connections would change."""

    name: str
    title: str
    half: Half
    wide: tuple[Table, ...]
    narrow: tuple[Table, ...]
    lines: tuple[Line, ...]


def replay_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what a policy would have done to past connections."""
    require(request, "policies.view_policy", MAY_SEE)
    rows = Policy.objects.select_related("current", "candidate")
    policy = get_object_or_404(visible(rows, request.user), pk=pk)
    now = timezone.now()  # noqa: TID251  an edge
    given = dict(request.GET.lists())
    context: dict[str, Any] = {"policy": policy}
    troubles: dict[str, str] = {}
    try:
        question = read_replay(given, policy=policy, now=now, sees=device_ids(request.user))
        context |= {"last": question.asked.last, **_answered(question, now=now)}
    except AskedRefused as refused:
        troubles = refused.troubles
    context |= {
        "fields": list(_fields(given, troubles, policy, request)),
        "presets": presets_of(request.GET, last=context.get("last", "")),
        "troubles": troubles,
    }
    return framed(request, "console/replay.html", f"Replay of {policy}", context)


def replay_context(policy: Policy, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Return what the page of a policy says of a replay of what the guard holds.

    The page asks for it every minute: what was told lately is told again.
    """
    held, sees = policy.held, device_ids(request.user)
    if held is None:
        return {"trouble": "The guard holds nothing any more."}
    seen = "all" if sees is None else ",".join(map(str, sorted(sees)))
    told_of = f"{policy.pk} {held.block_digest} {held.inputs_digest} {seen}"
    key = f"replay-{hashlib.sha256(told_of.encode()).hexdigest()}"

    def tell() -> Told[Verdict]:
        question = read_replay({}, policy=policy, now=now, sees=sees)
        return replay_policy(question, now=now).told

    try:
        return {"told": cache.get_or_set(key, tell, KEPT_SECONDS)}
    except ReportRefused as refused:
        return {"trouble": str(refused)}


def _answered(question: Question, *, now: datetime) -> dict[str, Any]:
    try:
        report = replay_policy(question, now=now)
    except ReportRefused as refused:
        return {"trouble": str(refused)}
    found = report.replayed
    parts = (
        _part("would_drop", "Would have been dropped", found.would_drop, question),
        _part("would_pass", "Would now pass", found.would_pass, question),
    )
    return {
        "report": report,
        "words": tuple(_words(report)),
        "parts": [part for part in parts if part.half.connections],
    }


def _words(report: Report) -> Iterator[tuple[str, str]]:
    question, found = report.question, report.replayed
    yield "Tried", question.words
    yield (
        "On",
        f"{count(found.let_through)} connections let through, {count(found.dropped)} dropped",
    )
    yield "Of", _devices(report)
    yield "Time", question.asked.span_text
    yield "Told", "all that it does" if question.is_whole else "the difference to what is in force"


def _devices(report: Report) -> str:
    if report.devices is None:
        return "all devices: none follows it yet"
    noun = "device" if report.devices == 1 else "devices"
    chosen = "chosen here" if report.question.names_devices else "that you see"
    if report.is_of_followers:
        chosen = "that follow it" if report.devices != 1 else "that follows it"
    return f"{report.devices:,} {noun} {chosen}"


def _part(name: str, title: str, half: Half, question: Question) -> Part:
    def url(**narrowed: str) -> str:
        return _connections_url(question, action=_ACTIONS[name], **narrowed)

    drops = name == "would_drop"
    hosts = _table(
        "hosts", "Inside host", "Outside", half.hosts, half.insides,
        url=lambda row: url(inside=row.key), has_entries=any(row.entry for row in half.hosts),
    )  # fmt: skip
    addresses = _table(
        "addresses", "Outside address", "Inside", half.addresses, half.outsides,
        url=lambda row: url(outside=row.key), has_entries=drops,
    )  # fmt: skip
    lists = _table("lists", "List", "Outside", half.lists, 0)
    ports = _table("ports", "Port", "Inside", half.ports, 0)
    return Part(
        name, title, half, (hosts, addresses), (lists, ports), tuple(lines_of(half.samples))
    )


def _table(
    name: str,
    heading: str,
    others: str,
    rows: Iterable[Row],
    total: int,
    *,
    url: Callable[[Row], str] = lambda _: "",
    has_entries: bool = False,
) -> Table:
    told = tuple(rows)
    most = max((row.connections for row in told), default=0)
    shown = tuple(Shown(row, url(row), bar(row.connections, most)) for row in told)
    return Table(name, heading, others, shown, total, has_entries)


def _connections_url(question: Question, **narrowed: str) -> str:
    wanted = question.asked.filter
    span = {"last": question.asked.last} if question.asked.last else {
        "since": f"{wanted.since:%Y-%m-%dT%H:%M}", "until": f"{wanted.until:%Y-%m-%dT%H:%M}",
    }  # fmt: skip
    return f"{reverse('console:report-connections')}?{urlencode(span | narrowed)}"


def _fields(
    given: Given, troubles: dict[str, str], policy: Policy, request: HttpRequest
) -> Iterator[Field]:
    texts = {name: values[-1] for name, values in given.items()}

    def one(name: str, label: str, choices: Iterable[tuple[str, str]], usual: str) -> Field:
        chosen = texts.get(name) or usual
        shown = tuple(Choice(key, said, key == chosen) for key, said in choices)
        return Field(name, label, "one", trouble=troubles.get(name, ""), choices=shown)

    def text(name: str, label: str, hint: str, offered: Iterable[str]) -> Field:
        value = ", ".join(given.get(name, ()))
        trouble = troubles.get(name, "")
        return Field(name, label, "text", value, hint, trouble, offered=tuple(offered))

    yield one("what", "Try", _tries(policy), HELD if policy.held else NOW)
    sources = visible(Source.objects.exclude(list_digest=""), request.user).order_by("name", "id")
    names = sources.values_list("name", flat=True)[:NAMES_OFFERED]
    yield text("source", "With one more source", "none", names)
    devices = visible(Device.objects.order_by("nickname", "id"), request.user)
    nicknames = devices.values_list("nickname", flat=True)[:NAMES_OFFERED]
    yield text("device", "On the devices", "those that follow it", nicknames)
    against = [(IN_FORCE, "only what changes"), (NOTHING, "all that it does")]
    yield one("against", "Tell", against, IN_FORCE)


def _tries(policy: Policy) -> Iterator[tuple[str, str]]:
    if policy.held:
        yield HELD, "what the guard holds"
    yield NOW, "its sources' lists of now"
    snapshots = policy.snapshots.order_by("-number")[:SNAPSHOTS_OFFERED]
    for number, at in snapshots.values_list("number", "created_at"):
        yield str(number), f"snapshot {number}, {at:%Y-%m-%d %H:%M}"
