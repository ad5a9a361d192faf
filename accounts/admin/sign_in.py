"""Who is signed in, who has a second factor, and whose sign-ins failed: seen, and ended here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.lockout import lock_of, locked_rows, unlock
from accounts.models import FailedSignIn, SecondFactor, Session
from accounts.second_factor import FactorRefused, reset_factor
from accounts.sessions import end_session, live_sessions
from policies.admin.base import Overview
from policies.admin.writes import ServiceAdmin
from policies.words import ago, word


class _Seen(ServiceAdmin):
    """Rows that signing in makes: nobody adds or changes one by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False."""
        return False


@admin.register(Session)
class SessionAdmin(_Seen):
    """Everybody's sessions; to delete one is to end it."""

    list_display = ("person", "seen", "began_at", "where", "agent")
    search_fields = ("user__username", "address")
    search_help_text = "User or address"
    ordering = ("-seen_at", "-id")
    fieldsets = (
        (None, {"fields": ("user", "began_at", "seen_at", "expires_at", "address", "agent")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:  # noqa: ARG002
        """Return the sessions of people that are good now."""
        return live_sessions(now=timezone.now())

    def overview(self, row: Session, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Say what deleting it does."""
        return Overview(sentence="Delete it to end it: the browser's next request is nobody's.")

    @display(description="person", ordering="user__username")
    def person(self, session: Session) -> str:
        """Return whose it is."""
        return session.user.get_username() if session.user else ""

    @display(description="seen last", ordering="seen_at")
    def seen(self, session: Session) -> SafeString:
        """Return when it was seen last."""
        return ago(session.seen_at, now=timezone.now())

    @display(description="address", ordering="address")
    def where(self, session: Session) -> str:
        """Return from where."""
        return session.address or "this machine"

    def subject_of(self, row: Any) -> str:
        """Return how Change rows name a session."""
        return f"session of {row.user.get_username()}"

    def remove(self, row: Session, *, actor: str, now: datetime) -> None:
        """End the session."""
        end_session(session=row, actor=actor, now=now)


@admin.register(SecondFactor)
class SecondFactorAdmin(_Seen):
    """Who has a second factor; to delete one is to reset it for somebody who lost it."""

    refusals = (FactorRefused,)
    list_display = ("person", "confirmed_at", "used_at", "codes_left")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    search_help_text = "User"
    ordering = ("user__username", "id")
    fieldsets = ((None, {"fields": ("user", "confirmed_at", "used_at", "codes_left")}),)
    readonly_fields = ("codes_left",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SecondFactor]:
        """Return the factors that count, each with its recovery codes counted."""
        rows: QuerySet[SecondFactor] = super().get_queryset(request)
        unused = Count("recovery_codes", filter=Q(recovery_codes__used_at=None))
        return rows.filter(confirmed_at__isnull=False).annotate(unused=unused)

    def overview(self, row: SecondFactor, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Say what deleting it does."""
        return Overview(
            sentence="Delete it for somebody who lost the phone and the recovery codes, once you "
            "are sure who is asking: the password alone then signs in, and all sessions end."
        )

    @display(description="person", ordering="user__username")
    def person(self, factor: SecondFactor) -> str:
        """Return whose it is."""
        return factor.user.get_username()

    @display(description="recovery codes left")
    def codes_left(self, factor: SecondFactor) -> int:
        """Return how many recovery codes are left."""
        return int(getattr(factor, "unused", 0))

    def subject_of(self, row: Any) -> str:
        """Return how Change rows name a second factor."""
        return f"second factor {row}"

    def remove(self, row: SecondFactor, *, actor: str, now: datetime) -> None:
        """Reset it."""
        reset_factor(user=row.user, actor=actor, now=now)


@admin.register(FailedSignIn)
class FailedSignInAdmin(_Seen):
    """Sign-ins that failed lately, and the locks that follow; to delete is to unlock."""

    list_display = ("username", "ip_address", "failures", "last", "lock")
    search_fields = ("username", "ip_address")
    search_help_text = "User or address"
    ordering = ("-attempt_time", "-id")
    fieldsets = (
        (None, {"fields": ("username", "ip_address", "failures_since_start", "attempt_time")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[FailedSignIn]:  # noqa: ARG002
        """Return the failures that count now."""
        return locked_rows(now=timezone.now())

    def overview(self, row: FailedSignIn, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Say what deleting it does."""
        return Overview(
            headline=self.lock(row),
            sentence="Delete it to forget these failures: that person may try again from there.",
        )

    @display(description="failures", ordering="failures_since_start")
    def failures(self, attempt: FailedSignIn) -> int:
        """Return how many."""
        return int(attempt.failures_since_start)

    @display(description="last", ordering="attempt_time")
    def last(self, attempt: FailedSignIn) -> SafeString:
        """Return when the last one was."""
        return ago(attempt.attempt_time, now=timezone.now())

    @display(description="state")
    def lock(self, attempt: FailedSignIn) -> SafeString:
        """Return whether sign-ins of this person from there are locked."""
        now = timezone.now()
        lock = lock_of(username=attempt.username or "", address=attempt.ip_address or None, now=now)
        if lock is None:
            return word("neutral", "open")
        return word("danger", f"locked for {lock.minutes(now=now)} min")

    def subject_of(self, row: Any) -> str:
        """Return how Change rows name the sign-ins of a person."""
        return f"sign-in of {row.username} from {row.ip_address}"

    def remove(self, row: FailedSignIn, *, actor: str, now: datetime) -> None:
        """Forget the failures of this person from there."""
        unlock(username=row.username, address=row.ip_address, actor=actor, now=now)
