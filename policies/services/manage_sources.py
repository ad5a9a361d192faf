"""Make, change and delete sources.

    create_source(*, name, kind, settings, options={}, actor, now) -> Source
    change_source(*, source, changes, actor, now) -> Source
    delete_source(*, source, actor, now) -> None

`options` and `changes` hold columns by name (SOURCE_COLUMNS); what is not named stays as it is.
Settings that are secrets come with the others and are kept encrypted, apart: one that is not given
stays, an empty one is taken away. None stays where another server would be told it. Everything
raises Refused and then nothing was changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from policies.fields import DecryptionFailed
from policies.models import Policy, Source
from policies.models.source import LONGEST_REFRESH
from policies.services.changes import record_change
from policies.services.rows import InUse, Refused, check_columns, save_row, set_columns
from policies.services.sources import (
    build_engine,
    keep_secrets,
    merged_secrets,
    secrets_of,
    settings_key,
    told_to,
    without_secrets,
)
from policies.services.user_list_rules import defaults_of, why_not_kept
from policies.sources import SOURCES
from policies.sources.base import SourceMisconfigured

SOURCE_COLUMNS = (
    "name", "kind", "settings", "may_be_empty", "shrink_limit", "severity", "refresh_minutes",
    "stale_minutes", "is_enabled",
)  # fmt: skip
MAX_SETTINGS_BYTES = 1 << 20
MAX_RECORDED = 1000
# A list that is asked for with another password has to come whole.
_ASKED_ANEW: dict[str, object] = {
    "version": "",
    "payload_digest": "",
    "whole_at": None,
    "claimed_by": "",
    "claimed_until": None,
}
# What is held of a list under other settings says nothing of the list under these.
_FORGOTTEN: dict[str, object] = {
    **_ASKED_ANEW,
    "list_prefixes": 0,
    "entries_digest": "",
    "ledger_digest": "",
}


def create_source(
    *,
    name: str,
    kind: str,
    settings: Mapping[str, object],
    options: Mapping[str, object] | None = None,
    actor: str,
    now: datetime,
) -> Source:
    """Make a source; it is retrieved as soon as a policy takes it."""
    source = Source(due_at=now, **defaults_of(kind))
    named = {"name": name, "kind": kind, "settings": settings}
    set_columns(source, {**(options or {}), **named}, known=SOURCE_COLUMNS)
    secrets = _prepare(source, held={})
    with transaction.atomic():
        save_row(source)
        keep_secrets(source, secrets)
        record_change(
            actor=actor, verb="create", subject=_subject(source), now=now,
            after=_columns(source) | {"secrets": sorted(secrets)},
        )  # fmt: skip
    return source


def change_source(
    *, source: Source, changes: Mapping[str, object], actor: str, now: datetime
) -> Source:
    """Change a source. After new settings its list is retrieved anew; until then the old one holds.

    A worker that is still retrieving with the old settings loses its claim.
    """
    before, key = _columns(source), source.settings_key
    held, receiver = _held_secrets(source), told_to(kind=source.kind, settings=source.settings)
    set_columns(source, changes, known=SOURCE_COLUMNS)
    is_same = told_to(kind=source.kind, settings=source.settings) == receiver
    secrets = _prepare(source, held=held if is_same else {})
    columns = {*changes, "settings_key", "due_at"}  # others may change the rest meanwhile
    source.due_at = now
    if source.settings_key != key or secrets != held:
        forgotten = _ASKED_ANEW if source.settings_key == key else _FORGOTTEN
        set_columns(source, forgotten, known=tuple(forgotten))
        columns |= forgotten.keys()
    with transaction.atomic():
        save_row(source, update_fields=sorted(columns))
        keep_secrets(source, secrets)
        Policy.objects.filter(sources=source).update(due_at=now)
        record_change(
            actor=actor, verb="change", subject=_subject(source), now=now,
            before=before | {"secrets": _told(held, {})},
            after=_columns(source) | {"secrets": _told(secrets, held)},
        )  # fmt: skip
    return source


def delete_source(*, source: Source, actor: str, now: datetime) -> None:
    """Delete a source that no policy takes, with its retrievals."""
    with transaction.atomic():
        held = list(source.policies.order_by("name").values_list("name", flat=True)[:5])
        if held:
            raise InUse(
                f"source {source.name} is used by {', '.join(held)}; take it out there first"
            )
        before = _columns(source)
        source.delete()
        record_change(actor=actor, verb="delete", subject=_subject(source), now=now, before=before)


def _held_secrets(source: Source) -> dict[str, str]:
    try:
        return secrets_of(source)
    except DecryptionFailed as error:
        raise Refused(str(error), setting="settings") from error


def _told(secrets: Mapping[str, str], held: Mapping[str, str]) -> list[str]:
    """Return the names of secrets, and which of them are other ones than before."""
    changed = {name for name in secrets if name in held and held[name] != secrets[name]}
    return [f"{name} (changed)" if name in changed else name for name in sorted(secrets)]


def _prepare(source: Source, *, held: Mapping[str, str]) -> dict[str, str]:
    """Hold the columns to their rules, make the key, and return the secrets; raises Refused."""
    if source.kind not in SOURCES:
        raise Refused(f"kind must be one of {', '.join(SOURCES)}", setting="kind")
    try:
        secrets = _checked_settings(source, held=held)
    except SourceMisconfigured as error:
        raise Refused(str(error), setting="settings") from error
    except (TypeError, UnicodeEncodeError) as error:
        raise Refused(f"settings cannot be stored as JSON: {error}", setting="settings") from error
    if reason := why_not_kept(source):
        raise Refused(reason, setting="settings")
    check_columns(source, SOURCE_COLUMNS)
    _make_key(source)
    if source.refresh_minutes > (most := LONGEST_REFRESH // timedelta(minutes=1)):
        raise Refused(f"refresh_minutes may be up to {most:,}", setting="refresh_minutes")
    return secrets


def _checked_settings(source: Source, *, held: Mapping[str, str]) -> dict[str, str]:
    """Hold the settings to the rules of their kind; leave the plain ones, return the secrets."""
    if not isinstance(source.settings, dict):
        raise SourceMisconfigured('settings must be an object, such as {"name": "value"}')
    text = json.dumps(source.settings, ensure_ascii=False).encode()
    if len(text) > MAX_SETTINGS_BYTES:
        raise SourceMisconfigured(f"settings take up to {MAX_SETTINGS_BYTES:,} bytes")
    secrets = merged_secrets(kind=source.kind, settings=source.settings, held=held)
    source.settings = without_secrets(kind=source.kind, settings=source.settings)
    build_engine(kind=source.kind, settings={**source.settings, **secrets})
    return secrets


def _make_key(source: Source) -> None:
    key = settings_key(kind=source.kind, settings=source.settings, name=source.name)
    twin = Source.objects.filter(settings_key=key).exclude(pk=source.pk).first()
    if twin is not None:
        raise Refused(f"source {twin.name} has these settings; use that one", setting="settings")
    source.settings_key = key


def _columns(source: Source) -> dict[str, object]:
    """Return a row's columns for the record of changes, long settings cut."""
    columns = {name: getattr(source, name) for name in SOURCE_COLUMNS}
    text = json.dumps(source.settings)
    cut = f"{text[:MAX_RECORDED]}… ({len(text):,} characters, {source.settings_key[:12]})"
    columns["settings"] = text if len(text) <= MAX_RECORDED else cut
    return columns


def _subject(source: Source) -> str:
    return f"source {source}"[:200]
