"""Sources as rows: found or made by what they say, built into engines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from django.conf import settings as site
from django.db import transaction

from policies.models import Source, SourceSecrets
from policies.services.user_list_rules import entries_in_force
from policies.sources import SOURCES, http_settings, user_list
from policies.sources.base import Source as Engine, SourceMisconfigured


def build_source(source: Source, *, now: datetime) -> Engine:
    """Build the engine of a row, with the records that a list kept here has at `now`.

    Raises SourceMisconfigured, DecryptionFailed.
    """
    settings = {**source.settings, **secrets_of(source)}
    if source.kind == user_list.KIND:
        settings["entries"] = entries_in_force(source, now=now)
    return build_engine(kind=source.kind, settings=settings)


def build_engine(*, kind: str, settings: Mapping[str, object]) -> Engine:
    """Build the engine of a kind from its settings, secrets included; raises SourceMisconfigured.

    A list in the DNS that names no server is asked of the site's own (TSCM_DNS_SERVERS); a file has
    to lie in a folder that the site allows (TSCM_LIST_FOLDERS).
    """
    if kind not in SOURCES:
        raise SourceMisconfigured(f"kind {kind!r} is not known; known are {', '.join(SOURCES)}")
    if kind in {"dns", "zone"} and not settings.get("servers"):
        settings = {**settings, "servers": list(site.TSCM_DNS_SERVERS)}
    if kind == "file":
        settings = {**settings, "roots": [str(folder) for folder in site.TSCM_LIST_FOLDERS]}
    return SOURCES[kind].from_settings(settings)


def secrets_of(source: Source) -> dict[str, str]:
    """Return the secret settings of a source; raises DecryptionFailed."""
    kept = SourceSecrets.objects.filter(source=source).first() if source.pk else None
    secrets: dict[str, str] = json.loads(kept.values) if kept else {}
    return secrets


def secret_names(source: Source) -> list[str]:
    """Return which settings of a source are kept apart as secrets; no key is needed for that."""
    try:
        kept: SourceSecrets = source.kept_secrets
    except SourceSecrets.DoesNotExist:
        return []
    return list(kept.names)


def without_secrets(*, kind: str, settings: Mapping[str, object]) -> dict[str, object]:
    """Return the settings that may be shown."""
    secret = SOURCES[kind].secrets if kind in SOURCES else ()
    return {name: value for name, value in settings.items() if name not in secret}


def told_to(*, kind: str, settings: object) -> tuple[object, ...]:
    """Return what decides who gets to know the secrets of a source.

    Secrets held are of use only where that stays: whoever may change a source could read them
    otherwise, by the address of a server of his own.
    """
    if kind == "http" and isinstance(settings, Mapping):
        return kind, *http_settings.told_to(settings)
    return (kind,)


def merged_secrets(
    *, kind: str, settings: Mapping[str, object], held: Mapping[str, str]
) -> dict[str, str]:
    """Return the secrets of a source: those given, and those held that were not; "" takes one away.

    Raises SourceMisconfigured.
    """
    secrets: dict[str, str] = {}
    for name in SOURCES[kind].secrets if kind in SOURCES else ():
        value = settings.get(name, held.get(name, ""))
        if not isinstance(value, str):
            raise SourceMisconfigured(f"{name} must be a text")
        if value:
            secrets[name] = value
    return secrets


def keep_secrets(source: Source, secrets: Mapping[str, str]) -> None:
    """Write the secrets of a source, all of them."""
    if secrets:
        SourceSecrets.objects.update_or_create(
            source=source,
            defaults={"values": json.dumps(dict(secrets)), "names": sorted(secrets)},
        )
    else:
        SourceSecrets.objects.filter(source=source).delete()


def settings_key(*, kind: str, settings: Mapping[str, object], name: str = "") -> str:
    """Return the digest that two sources of one kind and the same settings share.

    Secrets are left out: a digest in the clear would let them be guessed at. Of lists kept here no
    two are the same: by `name` each has a key of its own.
    """
    shown = without_secrets(kind=kind, settings=settings)
    parts = [kind, shown, *([name] if kind == user_list.KIND else [])]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def find_or_make_source(
    *, kind: str, settings: Mapping[str, object], name: str, now: datetime, is_sample: bool = False
) -> Source:
    """Return the source with these settings, made for a device and due where there is none.

    Raises SourceMisconfigured. `name` gets a number behind it when another source has it. Secrets
    are kept with a source that is made here, and left as they are with one that was there.
    """
    build_engine(kind=kind, settings=settings)
    with transaction.atomic():
        source, is_new = Source.objects.get_or_create(
            settings_key=settings_key(kind=kind, settings=settings),
            defaults={
                "name": _free_name(name),
                "kind": kind,
                "settings": without_secrets(kind=kind, settings=settings),
                "due_at": now,
                "is_sample": is_sample,
                "is_private": True,
            },
        )
        if is_new:
            keep_secrets(source, merged_secrets(kind=kind, settings=settings, held={}))
    return source


def _free_name(wanted: str) -> str:
    taken = set(Source.objects.filter(name__startswith=wanted).values_list("name", flat=True))
    number, name = 1, wanted
    while name in taken:
        number += 1
        name = f"{wanted} ({number})"
    return name
