"""Sources as rows: found or made by what they say, built into engines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from django.conf import settings as site

from policies.models import Source
from policies.services.user_list_rules import entries_in_force
from policies.sources import SOURCES, user_list
from policies.sources.base import Source as Engine, SourceMisconfigured


def build_source(source: Source, *, now: datetime) -> Engine:
    """Build the engine of a row, with the records that a list kept here has at `now`.

    Raises SourceMisconfigured.
    """
    settings = source.settings
    if source.kind == user_list.KIND:
        settings = {**settings, "entries": entries_in_force(source, now=now)}
    return build_engine(kind=source.kind, settings=settings)


def build_engine(*, kind: str, settings: Mapping[str, object]) -> Engine:
    """Build the engine of a kind from its settings; raises SourceMisconfigured.

    A DNS list that names no server is asked of the site's own (TSCM_DNS_SERVERS).
    """
    if kind not in SOURCES:
        raise SourceMisconfigured(f"kind {kind!r} is not known; known are {', '.join(SOURCES)}")
    if kind == "dns" and not settings.get("servers"):
        settings = {**settings, "servers": list(site.TSCM_DNS_SERVERS)}
    return SOURCES[kind].from_settings(settings)


def settings_key(*, kind: str, settings: Mapping[str, object], name: str = "") -> str:
    """Return the digest that two sources of one kind and the same settings share.

    Of lists kept here no two are the same: by `name` each has a key of its own.
    """
    parts = [kind, settings, *([name] if kind == user_list.KIND else [])]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def find_or_make_source(
    *, kind: str, settings: Mapping[str, object], name: str, now: datetime, is_sample: bool = False
) -> Source:
    """Return the source with these settings, made for a device and due where there is none.

    Raises SourceMisconfigured. `name` gets a number behind it when another source has it.
    """
    build_engine(kind=kind, settings=settings)
    source, _ = Source.objects.get_or_create(
        settings_key=settings_key(kind=kind, settings=settings),
        defaults={
            "name": _free_name(name),
            "kind": kind,
            "settings": dict(settings),
            "due_at": now,
            "is_sample": is_sample,
            "is_private": True,
        },
    )
    return source


def _free_name(wanted: str) -> str:
    taken = set(Source.objects.filter(name__startswith=wanted).values_list("name", flat=True))
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted} ({number})"
    return name
