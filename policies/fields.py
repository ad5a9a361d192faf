"""A column that is unreadable without the site's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class DecryptionFailed(Exception):
    """A stored secret cannot be read with the keys at hand; nothing else is shown for it."""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.TSCM_FIELD_KEYS])


if TYPE_CHECKING:
    TextColumn = models.TextField[str, str]
else:  # the real class takes no type arguments
    TextColumn = models.TextField


class EncryptedTextField(TextColumn):
    """Text encrypted at rest with the newest of TSCM_FIELD_KEYS; "" is stored as it is.

    A wrong key raises DecryptionFailed: the ciphertext never passes for the text.
    """

    def get_prep_value(self, value: Any) -> Any:
        """Return the ciphertext."""
        text = super().get_prep_value(value)
        return _keys().encrypt(text.encode()).decode("ascii") if text else text

    def from_db_value(self, value: str | None, *_context: object) -> str | None:
        """Return the text; raises DecryptionFailed."""
        if not value:
            return value
        try:
            return _keys().decrypt(value.encode("ascii")).decode()
        except (InvalidToken, UnicodeEncodeError) as error:
            name = f"{self.model.__name__}.{self.name}"
            raise DecryptionFailed(
                f"{name} cannot be decrypted with the keys in TSCM_FIELD_KEYS; put the key it was "
                f"written with back behind the newest one"
            ) from error
