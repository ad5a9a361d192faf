"""Where sessions are kept: rows known by the digest of their key, that say whose they are.

Django's SESSION_ENGINE. Whoever reads the database finds no key that a browser could send, and a
session ends at once with its row.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Session

SEEN = "seen"  # in a session: [address, agent, seconds]
BEGAN = "began"  # in a session: seconds


def digest_of(key: str | None) -> str:
    """Return how the row of a session is found by its key."""
    return hashlib.sha256((key or "").encode()).hexdigest()


class SessionStore(SessionBase):
    """One session, in its row."""

    def load(self) -> dict[str, Any]:
        """Return what the session holds; nothing where it ended or its time is up."""
        rows = Session.objects.filter(
            digest=digest_of(self.session_key),
            expires_at__gt=timezone.now(),  # noqa: TID251  Django asks without a moment
        )
        data = rows.values_list("data", flat=True).first()
        if data is None:
            self._session_key = None
            return {}
        return self.decode(data)

    def exists(self, session_key: str) -> bool:
        """Tell whether a session has this key."""
        return Session.objects.filter(digest=digest_of(session_key)).exists()

    def create(self) -> None:
        """Make an empty session with a key that no other has."""
        while True:
            self._session_key = self._get_new_session_key()  # type: ignore[attr-defined]
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002  Django's signature
        """Write the row. Raises CreateError for a key that is taken, UpdateError after its end."""
        if self.session_key is None:
            self.create()
            return
        digest = digest_of(self.session_key)
        columns = self._columns(self._get_session(no_load=must_create))  # type: ignore[attr-defined]
        if not must_create:
            # The row of an ended session must not come back with a request that was under way.
            if Session.objects.filter(digest=digest).update(**columns) != 1:
                raise UpdateError
            return
        try:
            with transaction.atomic():
                Session.objects.create(digest=digest, **columns)
        except IntegrityError as error:
            raise CreateError from error

    def delete(self, session_key: str | None = None) -> None:
        """End the session; ending it again does nothing."""
        Session.objects.filter(digest=digest_of(session_key or self.session_key)).delete()

    @classmethod
    def clear_expired(cls) -> None:
        """Delete the sessions whose time is up."""
        now = timezone.now()  # noqa: TID251  Django asks without a moment
        Session.objects.filter(expires_at__lte=now).delete()

    def _columns(self, data: dict[str, Any]) -> dict[str, Any]:
        now = timezone.now()  # noqa: TID251  Django asks without a moment
        user = data.get(SESSION_KEY)
        address, agent, seen = data.get(SEEN, ("", "", now.timestamp()))
        began_at = datetime.fromtimestamp(data.get(BEGAN, seen), UTC)
        # Pages that keep themselves up to date would prolong it for ever.
        ends_at = began_at + timedelta(seconds=settings.SESSION_COOKIE_AGE)
        return {
            "data": self.encode(data),
            "user_id": None if user is None else int(user),
            "began_at": began_at,
            "seen_at": datetime.fromtimestamp(seen, UTC),
            "expires_at": min(self.get_expiry_date(), ends_at),
            "address": address,
            "agent": agent,
        }
