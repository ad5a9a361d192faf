"""The page that asks for user and password, and what a locked sign-in is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.forms import AuthenticationForm

from accounts.lockout import address_of, lock_of
from accounts.models import Kind
from accounts.people import subject_of
from accounts.steps import Step, begin
from policies.admin.base import actor_of
from policies.services import record_change

_PAGES = {Step.CODE: "sign-in:code", Step.SET_UP: "sign-in:set-up"}
_LOCKED = 429
_LDAP = "accounts.sso.ldap.DirectoryBackend"


class SignInView(LoginView):
    """The console's sign-in: nobody is signed in here who owes a second factor."""

    template_name = "accounts/sign_in.html"
    authentication_form = AuthenticationForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send on who is signed in already; answer everybody else."""
        if request.method == "GET" and admin.site.has_permission(request):
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def form_valid(self, form: Any) -> HttpResponse:
        """Go on to the second factor, or sign in where none is asked for."""
        user: Any = form.get_user()
        how = Kind.LDAP.label if user.backend == _LDAP else "password"
        return go_on(
            self.request, user=user, backend=user.backend, how=how, next_url=self.get_success_url()
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the page shows."""
        context = super().get_context_data(**kwargs)
        return {
            **admin.site.each_context(self.request),
            **context,
            "title": "Sign in",
            "app_path": self.request.get_full_path(),
            "username": self.request.user.get_username(),
            "has_provider": settings.TSCM_OIDC is not None,
        }


def go_on(
    request: HttpRequest, *, user: User, backend: str, how: str, next_url: str
) -> HttpResponse:
    """Take the first step of a sign-in, and send the browser to what comes next."""
    now = timezone.now()
    step = begin(request, user=user, backend=backend, how=how, next_url=next_url, now=now)
    return HttpResponseRedirect(reverse(_PAGES[step]) if step in _PAGES else next_url)


def sign_out(request: HttpRequest) -> HttpResponse:
    """Write down who signs out, and let the console do the rest."""
    user = request.user
    if request.method == "POST" and isinstance(user, User):
        record_change(
            actor=actor_of(request), verb="sign-out", subject=subject_of(user), now=timezone.now()
        )
    return admin.site.logout(request)


def locked(
    request: HttpRequest, _answer: HttpResponse | None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Answer a sign-in that is locked: for how long, and no word on whether the user exists.

    django-axes calls it in the place of whatever page would have answered.
    """
    name = str((credentials or {}).get("username") or "")
    return locked_page(request, username=name, now=timezone.now())


def locked_page(request: HttpRequest, *, username: str, now: datetime) -> HttpResponse:
    """Return the page that says for how long nothing is looked at."""
    lock = lock_of(username=username, address=address_of(request), now=now)
    minutes = 1 if lock is None else lock.minutes(now=now)
    context = {**admin.site.each_context(request), "title": "Sign in", "minutes": minutes}
    headers = {"Retry-After": str(minutes * 60)}
    answer = TemplateResponse(
        request, "accounts/locked.html", context, status=_LOCKED, headers=headers
    )
    return answer.render()
