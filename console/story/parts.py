"""The parts of pages that are fetched by themselves, because they may take a second.

To add one: its context in `console.story.contexts`, its template, and its line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from console.hits import MAY_SEE
from console.replay import replay_context
from console.story import contexts
from devices.models import Device
from policies.models import Policy, Snapshot, Source
from policies.visible import Person

Context = Callable[[Any, HttpRequest, datetime], dict[str, Any]]
_DEVICES, _POLICIES = "devices.view_device", "policies.view_policy"
_SOURCES, _SNAPSHOTS = "policies.view_source", "policies.view_snapshot"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page: what it is of, who may see it, and what makes it."""

    panel: str  # the name of its panel
    title: str
    waiting: str  # what is said until it has come
    model: type[Model]
    context: Context
    template: str
    needs: tuple[str, ...]  # permissions
    is_half: bool = False

    def is_for(self, user: Person) -> bool:
        """Tell whether a person may see it."""
        return bool(user.has_perms(self.needs))  # type: ignore[union-attr]


_HITS, _COUNTING = "console/story_hits.html", "Counting what was dropped"
_COMPARING = "Comparing it with the one before"

PARTS: dict[str, Part] = {
    "device-hits": Part(
        "hits", "What it dropped", _COUNTING, Device, contexts.device_hits, _HITS,
        (_DEVICES, MAY_SEE),
    ),
    "policy-replay": Part(
        "replay", "Replay: what it would have done in the last 7 days", "Trying it on connections",
        Policy, replay_context, "console/replay_held.html", (_POLICIES, MAY_SEE),
    ),
    "policy-hits": Part(
        "hits", "What it dropped", _COUNTING, Policy, contexts.policy_hits, _HITS,
        (_POLICIES, MAY_SEE),
    ),
    "policy-sources": Part(
        "sources", "Its sources", "Comparing its lists", Policy, contexts.policy_sources,
        "console/story_sources.html", (_POLICIES,),
    ),
    "policy-difference": Part(
        "difference", "What changed last", _COMPARING, Policy, contexts.policy_difference,
        "console/story_difference.html", (_POLICIES, _SNAPSHOTS), is_half=True,
    ),
    "source-hits": Part(
        "hits", "What was dropped because of it", _COUNTING, Source, contexts.source_hits, _HITS,
        (_SOURCES, MAY_SEE),
    ),
    "source-worth": Part(
        "worth", "What it is worth", "Comparing it with the lists beside it", Source,
        contexts.source_worth, "console/story_worth.html", (_SOURCES,), is_half=True,
    ),
    "snapshot-hits": Part(
        "hits", "What was dropped while it was in force", _COUNTING, Snapshot,
        contexts.snapshot_hits, _HITS, (_SNAPSHOTS, MAY_SEE),
    ),
    "snapshot-difference": Part(
        "difference", "What came and went", _COMPARING, Snapshot, contexts.snapshot_difference,
        "console/story_difference.html", (_SNAPSHOTS,), is_half=True,
    ),
    "snapshot-served": Part(
        "served", "Who was given it", "Looking who had it", Snapshot, contexts.snapshot_served,
        "console/story_served.html", (_SNAPSHOTS, _DEVICES), is_half=True,
    ),
    "snapshot-effects": Part(
        "effects", "What its allow entries did", "Comparing the lists", Snapshot,
        contexts.snapshot_effects, "console/story_effects.html", (_SNAPSHOTS,), is_half=True,
    ),
}  # fmt: skip
