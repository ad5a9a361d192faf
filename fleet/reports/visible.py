"""Which device entries a person sees: those of his groups, all where he is in none."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from devices.reports.visible import is_limited
from policies.visible import Person

_Rows = QuerySet[Any]


def entries(rows: _Rows, user: Person) -> _Rows:
    """Return the entries that `user` sees."""
    return _seen(rows, user, "group")


def of_entry(rows: _Rows, user: Person) -> _Rows:
    """Return the rows of entries that `user` sees."""
    return _seen(rows, user, "entry__group")


def _seen(rows: _Rows, user: Person, path: str) -> _Rows:
    if user.pk is None:
        return rows.none()
    return rows.filter(**{f"{path}__people": user.pk}) if is_limited(user) else rows
