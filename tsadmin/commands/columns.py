"""Columns of a row as text: yes and no, and empty for none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import models

from tsadmin.errors import Misused

_YES, _NO = frozenset({"yes", "true", "on", "1"}), frozenset({"no", "false", "off", "0"})


def read_columns(
    given: Mapping[str, object], *, model: type[models.Model], known: Sequence[str]
) -> dict[str, object]:
    """Return columns as their model takes them; raises Misused for one that cannot be set.

    Numbers stay text: their column reads them, and knows what they may be.
    """
    unknown = [name for name in given if name not in known]
    if unknown:
        raise Misused(f"{unknown[0]} cannot be set; these can: {', '.join(known)}")
    return {name: _value(model, name, value) for name, value in given.items()}


def _value(model: type[models.Model], name: str, value: object) -> object:
    field = model._meta.get_field(name)  # noqa: SLF001  Django documents _meta
    if isinstance(field, models.BooleanField):
        return _yes_or_no(name, value)
    return None if field.null and value == "" else value


def _yes_or_no(name: str, value: object) -> bool:
    word = str(value).strip().lower()
    if word not in _YES | _NO:
        raise Misused(f"{name} takes yes or no")
    return word in _YES
