"""Who is signed in from where, and the end of a session."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Session
from policies.services import record_change


def live_sessions(*, now: datetime) -> QuerySet[Session]:
    """Return the sessions of people that are good now, those seen last first."""
    live = Session.objects.filter(user__isnull=False, expires_at__gt=now)
    return live.select_related("user").defer("data").order_by("-seen_at", "-id")


def end_session(*, session: Session, actor: str, now: datetime) -> None:
    """End a session: its browser's next request comes from nobody."""
    assert session.user is not None  # noqa: S101  live_sessions has no others
    before = {"address": session.address, "began_at": session.began_at, "browser": session.agent}
    with transaction.atomic():
        record_change(
            actor=actor, verb="end", subject=f"session of {session.user.get_username()}",
            before=before, now=now,
        )  # fmt: skip
        session.delete()


def end_sessions(*, user: User, actor: str, now: datetime, but_digest: str = "") -> int:
    """End a person's sessions, but for one where that is wanted; return how many ended."""
    with transaction.atomic():
        ended, _ = live_sessions(now=now).filter(user=user).exclude(digest=but_digest).delete()
        if ended:
            record_change(
                actor=actor, verb="end", subject=f"sessions of {user.get_username()}",
                before={"sessions": ended}, now=now,
            )  # fmt: skip
    return ended


def prune_sessions(*, now: datetime) -> int:
    """Delete the sessions whose time is up; return how many."""
    deleted, _ = Session.objects.filter(expires_at__lte=now).delete()
    return deleted
