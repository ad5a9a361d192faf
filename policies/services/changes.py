"""Write down who changed what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from policies.models import Change


def record_change(
    *,
    actor: str,
    verb: str,
    subject: str,
    now: datetime,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> Change:
    """Record that `actor` did `verb` to `subject`; only what differs is kept.

    Callers mask secrets before they hand values in.
    """
    old, new = before or {}, after or {}
    detail = {
        name: [_plain(old.get(name)), _plain(new.get(name))]
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    }
    return Change.objects.create(at=now, actor=actor, verb=verb, subject=subject, detail=detail)


def _plain(value: object) -> object:
    """Return `value` as JSON can hold it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)
