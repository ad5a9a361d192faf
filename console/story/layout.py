"""In which order the panels of a page stand, and what is added to those of the apps below."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from console.story.parts import PARTS
from policies.admin.base import Overview, Panel

# By the names of panels; one that is not named here comes last.
DEVICE = (
    "alarms", "kernel", "served", "feeds", "link", "pause", "cut", "hits", "applications", "logs",
    "pulls", "changes", "why",
)  # fmt: skip
POLICY = (
    "held", "replay", "alarms", "published", "difference", "sources", "hits", "tests", "devices",
    "changes", "snapshots",
)  # fmt: skip
SOURCE = (
    "alarms", "list", "sizes", "records", "hits", "worth", "policies", "retrievals", "changes",
)  # fmt: skip
SNAPSHOT = ("facts", "difference", "manifest", "served", "cuts", "hits", "effects", "feeds")


def arranged(shown: Overview, more: Iterable[Panel], order: tuple[str, ...]) -> Overview:
    """Return a page with all of its panels before its form, in their order."""
    places = {name: place for place, name in enumerate(order)}
    panels = sorted(
        (*shown.top, *shown.bottom, *more),
        key=lambda panel: places.get(panel.name, len(order)),
    )
    return replace(shown, top=panels, bottom=())


def part_panels(
    name: str, row: Any, request: HttpRequest, *, meanwhile: SafeString | str = ""
) -> tuple[Panel, ...]:
    """Return the panel that fetches a part by itself; () for who may not see it.

    `meanwhile` stands there until it has come, and where no script runs.
    """
    part = PARTS[name]
    if not part.is_for(request.user):
        return ()
    context = {
        "part": part,
        "url": reverse("console:part", args=[name, row.pk]),
        "meanwhile": meanwhile,
    }
    body = render_to_string("console/part.html", context)
    return (Panel(part.title, body, name=part.panel, is_half=part.is_half),)
