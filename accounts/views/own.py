"""One's own sign-in: second factor, sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from accounts.models import Session
from accounts.second_factor import factor_of
from accounts.session_store import digest_of
from accounts.sessions import end_session, end_sessions, live_sessions
from accounts.steps import must_have_factor
from policies.admin.base import actor_of
from policies.words import ago, word

_MOST = 100


@dataclass(frozen=True, slots=True)
class _Shown:
    """A session as the page shows it."""

    session: Session
    seen: SafeString
    began: SafeString
    is_this_one: bool


def own_page(request: HttpRequest) -> HttpResponse:
    """Show a person how he signs in, and where he is signed in."""
    user, now = _person(request), timezone.now()
    factor = factor_of(user)
    context = {
        **admin.site.each_context(request),
        "title": "Your sign-in",
        "factor": factor,
        "codes_left": factor.recovery_codes.filter(used_at=None).count() if factor else 0,
        "must_have_factor": must_have_factor(user),
        "factor_word": word("success", "on") if factor else word("warning", "none"),
        "sessions": _shown(request, user, now=now),
        "hours": settings.SESSION_COOKIE_AGE // 3600,
    }
    return TemplateResponse(request, "accounts/own.html", context)


@require_POST
def end_one(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of the person's own sessions."""
    now = timezone.now()
    session = get_object_or_404(live_sessions(now=now), pk=pk, user=_person(request))
    is_this_one = _is_this_one(request, session)
    end_session(session=session, actor=actor_of(request), now=now)
    if is_this_one:
        return HttpResponseRedirect(reverse("admin:login"))
    messages.success(request, f"The session {session} has ended.")
    return HttpResponseRedirect(reverse("sign-in:own"))


@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    """End all of the person's sessions but this one."""
    this_one = digest_of(request.session.session_key)
    ended = end_sessions(
        user=_person(request), actor=actor_of(request), now=timezone.now(), but_digest=this_one
    )
    messages.success(request, f"{ended} other sessions have ended.")
    return HttpResponseRedirect(reverse("sign-in:own"))


def _shown(request: HttpRequest, user: User, *, now: datetime) -> list[_Shown]:
    return [
        _Shown(
            session,
            seen=ago(session.seen_at, now=now),
            began=ago(session.began_at, now=now),
            is_this_one=_is_this_one(request, session),
        )
        for session in live_sessions(now=now).filter(user=user)[:_MOST]
    ]


def _is_this_one(request: HttpRequest, session: Session) -> bool:
    return session.digest == digest_of(request.session.session_key)


def _person(request: HttpRequest) -> User:
    user = request.user
    assert isinstance(user, User)  # noqa: S101  admin_view saw to it
    return user
