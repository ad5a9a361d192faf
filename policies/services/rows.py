"""What the services that make and change rows have in common: columns, rules, refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction


class Refused(ValueError):
    """Something cannot be made or changed this way; the message says why and what to do."""

    def __init__(self, message: str, *, setting: str = "") -> None:
        """Keep the setting's name apart; it is empty where no single one is to blame."""
        super().__init__(message)
        self.setting = setting


class InUse(Refused):
    """Something else holds on to the row; let go of it there first."""


class Outdated(Refused):
    """What a person looked at is no longer what is there; look at it again."""


def set_columns(row: models.Model, values: Mapping[str, object], *, known: Sequence[str]) -> None:
    """Set columns of a row; raises Refused for one that a person may not set."""
    for name, value in values.items():
        if name not in known:
            raise Refused(f"{name} cannot be set; these can: {', '.join(known)}", setting=name)
        setattr(row, name, value)


def check_columns(row: models.Model, names: Sequence[str]) -> None:
    """Hold a row to its columns' own rules and to names that are taken; raises Refused."""
    fields = row._meta.concrete_fields  # noqa: SLF001  Django documents _meta
    others = [field.name for field in fields if field.name not in names]
    try:
        row.full_clean(exclude=others, validate_constraints=False)
    except ValidationError as error:
        setting, messages = next(iter(error.message_dict.items()))
        raise Refused(" ".join(messages), setting=setting) from error


def save_row(row: models.Model, *, update_fields: Sequence[str] | None = None) -> None:
    """Write a row; raises Refused where somebody else took its name meanwhile."""
    try:
        with transaction.atomic():
            row.save(update_fields=update_fields)
    except IntegrityError as error:  # somebody else took the name meanwhile
        raise Refused(f"{row} was just taken by somebody else; look again") from error
