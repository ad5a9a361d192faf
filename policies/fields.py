"""A column that is unreadable without the site's keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute


class DecryptionFailed(Exception):
    """A stored secret cannot be read with the keys at hand; nothing else is shown for it."""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.TSCM_FIELD_KEYS])


if TYPE_CHECKING:
    TextColumn = models.TextField[str, str]
else:  # the real class takes no type arguments
    TextColumn = models.TextField


@dataclass(frozen=True, slots=True)
class Sealed:
    """A stored secret that nobody asked for yet."""

    ciphertext: str = field(repr=False)


class _Unsealing(DeferredAttribute):
    """Decrypts the column when it is read."""

    field: EncryptedTextField

    def __get__(
        self, instance: models.Model | None, owner: type[models.Model] | None = None
    ) -> Any:
        value = super().__get__(instance, owner)
        return self.field.unsealed(value) if isinstance(value, Sealed) else value

    def __set__(self, instance: models.Model, value: Any) -> None:
        # Without it Python would take the sealed value out of the instance and not ask here.
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(TextColumn):
    """Text encrypted at rest with the newest of TSCM_FIELD_KEYS; "" is stored as it is.

    It is decrypted when it is asked for. A wrong key then raises DecryptionFailed: the ciphertext
    never passes for the text.
    """

    descriptor_class = _Unsealing

    def get_prep_value(self, value: Any) -> Any:
        """Return the ciphertext."""
        text = super().get_prep_value(value)
        return _keys().encrypt(text.encode()).decode("ascii") if text else text

    def from_db_value(self, value: str | None, *_context: object) -> str | Sealed | None:
        """Return what is stored, sealed: a lost key must not take the other columns along."""
        return Sealed(value) if value else value

    def unsealed(self, sealed: Sealed) -> str:
        """Return the text; raises DecryptionFailed."""
        try:
            return _keys().decrypt(sealed.ciphertext.encode("ascii")).decode()
        except (InvalidToken, UnicodeEncodeError) as error:
            name = f"{self.model.__name__}.{self.name}"
            raise DecryptionFailed(
                f"{name} cannot be decrypted with the keys in TSCM_FIELD_KEYS; put the key it was "
                f"written with back behind the newest one"
            ) from error
