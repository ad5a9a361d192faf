"""Which rows a person sees: pages and the API ask here, and apps above say how theirs are shared.

Policies know no devices, and who sees which devices is known there; so each app tells the rule for
its rows, in the file `apps.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models
from django.db.models import QuerySet

Person = AbstractBaseUser | AnonymousUser
Rule = Callable[[QuerySet[Any], Person], QuerySet[Any]]
Row = TypeVar("Row", bound=models.Model)

_RULES: dict[type[models.Model], Rule] = {}


def share(rules: dict[type[models.Model], Rule]) -> None:
    """Tell who sees which rows of some models; the others are seen by all who may view them."""
    _RULES.update(rules)


def visible(rows: QuerySet[Row], user: Person) -> QuerySet[Row]:
    """Return those of `rows` that `user` sees."""
    rule = _RULES.get(rows.model)
    return rows if rule is None else rule(rows, user)


def shared_models() -> frozenset[type[models.Model]]:
    """Return the models that there is a rule for."""
    return frozenset(_RULES)
