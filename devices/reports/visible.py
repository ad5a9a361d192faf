"""What of the devices, and of what belongs to them, a person sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import models
from django.db.models import Q, QuerySet

from devices.models import Device, DeviceGroup, Gateway, GatewayRelease, Pull
from policies.models import (
    Alarm,
    AlarmNews,
    Candidate,
    Change,
    Feed,
    ListRecord,
    Packing,
    Policy,
    PolicySource,
    ProtectedAddress,
    Retrieval,
    Snapshot,
    Source,
    SourceSecrets,
)
from policies.models.change import LONGEST_SUBJECT
from policies.visible import Person, Rule

_LIMITED = "_is_limited_to_groups"

_Rows = QuerySet[Any]

_NAMED: dict[str, Callable[[Person], Iterable[str]]] = {}


def device_ids(user: Person) -> frozenset[int] | None:
    """Return the devices that `user` sees; None where he sees all."""
    if user.pk is None:
        return frozenset()
    if not is_limited(user):
        return None
    return frozenset(Device.objects.visible_to(user).values_list("pk", flat=True))


def is_limited(user: Person) -> bool:
    """Tell whether `user` is in groups of devices, and so sees only theirs."""
    if getattr(user, "is_superuser", False):
        return False
    # Asked once for each object of a user, which lives as long as a request: most are in no group.
    known = user.__dict__
    if _LIMITED not in known:
        held = DeviceGroup.people.through.objects.filter(user_id=user.pk or 0)
        known[_LIMITED] = held.exists()
    return bool(known[_LIMITED])


def through(path: str) -> Rule:
    """Return the rule for rows that belong to a device, which is reached by `path`."""
    return _for_limited(lambda rows, seen: rows.filter(**{f"{path}__in": seen}))


def _for_limited(narrowed: Callable[[_Rows, frozenset[int]], _Rows]) -> Rule:
    """Return the rule that narrows rows by the devices seen; who sees all sees all of them."""

    def rule(rows: _Rows, user: Person) -> _Rows:
        seen = device_ids(user)
        return rows if seen is None else narrowed(rows, seen)

    return rule


def _releases(rows: _Rows, seen: frozenset[int]) -> _Rows:
    return rows.filter(nickname__in=_column(seen, "nickname"))


def _policies(path: str) -> Rule:
    """Return the rule for policies and their parts: a device's own is seen with the device."""
    return _for_limited(lambda rows, seen: _shared_or(_own_policies(seen), rows, path))


def _sources(path: str) -> Rule:
    """Return the rule for sources and what came of them: a device's own are seen with it."""
    return _for_limited(lambda rows, seen: _shared_or(_own_sources(seen), rows, path))


def _own_policies(seen: frozenset[int]) -> _Rows:
    return Device.objects.filter(pk__in=seen).values("policy")


def _own_sources(seen: frozenset[int]) -> _Rows:
    return Source.objects.filter(policies__devices__in=seen).values("pk")


def _shared_or(own: _Rows, rows: _Rows, path: str = "") -> _Rows:
    """Return the rows where what `path` leads to is nobody's, or one of `own`."""
    prefix = f"{path}__" if path else ""
    shared = Q(**{f"{prefix}is_private": False})
    return rows.filter(shared | Q(**{f"{path or 'pk'}__in": own}))


def tell_names(word: str, names: Callable[[Person], Iterable[str]]) -> None:
    """Tell which of the things that rows call by `word` and a name a person sees.

    For apps above, in the file `apps.py`: devices do not know what they have.
    """
    _NAMED[word] = names


def _told_by(column: str) -> Rule:
    """Return the rule for rows that name what they are about, such as 'device fmc-1'."""

    def rule(rows: _Rows, user: Person) -> _Rows:
        seen = device_ids(user)
        if seen is None:
            return rows
        named = {**_names(seen, user), **{word: names(user) for word, names in _NAMED.items()}}
        for what, names in named.items():
            about = Q(**{f"{column}__startswith": f"{what} "})
            whole = [f"{what} {name}" for name in names]
            # The record cuts a longer one.
            mine = Q(**{f"{column}__in": {*whole, *(one[:LONGEST_SUBJECT] for one in whole)}})
            rows = rows.filter(~about | mine)
        return rows

    return rule


def _names(seen: frozenset[int], user: Person) -> dict[str, Iterable[str]]:
    groups = DeviceGroup.objects.filter(people=user.pk).values_list("name", flat=True)
    nodes = _column(seen, "node")
    policies = _shared_or(_own_policies(seen), Policy.objects.all())
    sources = _shared_or(_own_sources(seen), Source.objects.all())
    return {
        # No nickname has a blank: the record calls a group "device group NAME".
        "device": [*_column(seen, "nickname"), *(f"group {name}" for name in groups)],
        "policy": policies.values_list("name", flat=True),
        "source": sources.values_list("name", flat=True),
        "machine": nodes,
        "session on": nodes,
    }


def _groups(rows: _Rows, user: Person) -> _Rows:
    return rows if device_ids(user) is None else rows.filter(people=user.pk)


def _column(seen: frozenset[int], name: str) -> list[str]:
    return list(Device.objects.filter(pk__in=seen).values_list(name, flat=True))


RULES: dict[type[models.Model], Rule] = {
    Device: through("pk"),
    DeviceGroup: _groups,
    Gateway: through("device"),
    GatewayRelease: _for_limited(_releases),
    Pull: through("device"),
    Policy: _policies(""),
    Snapshot: _policies("policy"),
    Candidate: _policies("policy"),
    Feed: _policies("snapshot__policy"),
    Packing: _policies("snapshot__policy"),
    PolicySource: _policies("policy"),
    Source: _sources(""),
    SourceSecrets: _sources("source"),
    Retrieval: _sources("source"),
    ListRecord: _sources("source"),
    Alarm: _told_by("subject"),
    AlarmNews: _told_by("alarm__subject"),
    Change: _told_by("subject"),
    ProtectedAddress: _told_by("origin"),
}
