"""Make, find and delete API tokens.

A token is 32 random bytes in text behind `tscm_`, so that scanners for leaked secrets can know it.
It is shown once; the row holds its SHA-256. No salt and no slow hash: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import ApiToken, TokenRight
from policies.services import record_change

PREFIX = "tscm_"
DEFAULT_DAYS = 90
MAX_DAYS = 366
MAX_TOKENS = 50
LONGEST_NAME = 64
LONGEST = 200  # bytes of a header that are worth a look
# A write for each request would cost more than the request.
USE_IS_NOTED_EVERY = timedelta(minutes=5)


class TokenRefused(ValueError):
    """A token cannot be made this way; the message says why and what to do."""

    def __init__(self, message: str, *, setting: str = "") -> None:
        """Keep the setting's name apart; it is empty where no single one is to blame."""
        super().__init__(message)
        self.setting = setting


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token and its text, which is nowhere else and never shown again."""

    token: ApiToken
    text: str = field(repr=False)


def create_token(
    *,
    user: User,
    name: str,
    days: int = DEFAULT_DAYS,
    right: TokenRight = TokenRight.ALL,
    no_later_than: datetime | None = None,
    actor: str,
    now: datetime,
) -> NewToken:
    """Make a token that is good for `days`, at most until `no_later_than`.

    The user's expired ones are deleted. Raises TokenRefused.
    """
    _check(name, days)
    ends = now + timedelta(days=days)
    text = PREFIX + secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            held = ApiToken.objects.filter(user=user)
            held.filter(expires_at__lte=now).delete()
            if held.count() >= MAX_TOKENS:
                raise TokenRefused(f"a user has up to {MAX_TOKENS} tokens; delete one first")
            token = ApiToken.objects.create(
                user=user,
                name=name,
                digest=_digest(text.encode()),
                right=right,
                created_at=now,
                expires_at=min(ends, no_later_than or ends),
            )
            record_change(
                actor=actor, verb="create", subject=f"token {name}", now=now,
                after=_told(token),
            )  # fmt: skip
    except IntegrityError as error:
        raise TokenRefused(
            f"{user} has a token named {name!r}; choose another name", setting="name"
        ) from error
    return NewToken(token, text)


def _check(name: str, days: int) -> None:
    if not 1 <= len(name) <= LONGEST_NAME:
        raise TokenRefused(f"a token's name has 1 to {LONGEST_NAME} characters", setting="name")
    if not 1 <= days <= MAX_DAYS:
        raise TokenRefused(f"a token lives from 1 to {MAX_DAYS} days", setting="days")


def delete_token(*, token: ApiToken, actor: str, now: datetime) -> None:
    """Delete a token; the next request with it is refused."""
    with transaction.atomic():
        before = _told(token)
        token.delete()
        record_change(
            actor=actor, verb="delete", subject=f"token {token.name}", now=now, before=before
        )


def _told(token: ApiToken) -> dict[str, object]:
    return {
        "user": token.user.get_username(), "right": token.right, "expires_at": token.expires_at,
    }  # fmt: skip


def find_token(*, text: bytes, now: datetime) -> ApiToken | None:
    """Return the token with this text; None when there is none, it expired or its user is off."""
    if len(text) > LONGEST:
        return None
    good = ApiToken.objects.filter(expires_at__gt=now, user__is_active=True)
    return good.select_related("user").filter(digest=_digest(text)).first()


def note_use(*, token: ApiToken, now: datetime) -> None:
    """Note that a token was used, at most once in five minutes."""
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_IS_NOTED_EVERY)
    if token.last_used_at is None or token.last_used_at <= now - USE_IS_NOTED_EVERY:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
