"""To the OpenID Connect provider and back."""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from mozilla_django_oidc.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)

from accounts.models import Kind
from accounts.sso.oidc import setting
from accounts.sso.provider import ProviderAway
from accounts.steps import WITHIN
from accounts.views.sign_in import go_on

_BACKEND = "accounts.sso.oidc.ProviderBackend"
# Anybody may come back with a made-up code, and each waits for the provider's word on it: some
# threads must stay for everybody else.
_exchanges = BoundedSemaphore(2)


class _Request(OIDCAuthenticationRequestView):  # type: ignore[misc]
    """Sends a browser to the provider."""

    get_settings = staticmethod(setting)


class _Callback(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Takes a browser that the provider sent back."""

    get_settings = staticmethod(setting)
    user: User

    def login_success(self) -> HttpResponse:
        """Go on to the second factor, or sign in where none is asked for."""
        next_url = self.request.session.get("oidc_login_next") or reverse("admin:index")
        return go_on(
            self.request, user=self.user, backend=_BACKEND, how=Kind.OIDC.label, next_url=next_url
        )

    def login_failure(self) -> HttpResponse:
        """Say so on the sign-in page; the log has the reason."""
        messages.error(
            self.request,
            "The provider did not let you in, or you are in none of its groups that may use this "
            "console. The log of the console says which.",
        )
        return HttpResponseRedirect(reverse("admin:login"))


def to_provider(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider, with what it must bring back kept in its session."""
    if not request.user.is_authenticated:
        request.session.set_expiry(WITHIN)
    return _away_or(_Request, request)


def from_provider(request: HttpRequest) -> HttpResponse:
    """Take the browser back; a few at a time."""
    if not _exchanges.acquire(blocking=False):
        return _away(request, "Others are signing in just now. Try again")
    try:
        return _away_or(_Callback, request)
    finally:
        _exchanges.release()


def _away_or(view: Any, request: HttpRequest) -> HttpResponse:
    try:
        answer: HttpResponse = view.as_view()(request)
    except ProviderAway as away:
        return _away(request, str(away))
    return answer


def _away(request: HttpRequest, why: str) -> HttpResponse:
    messages.error(request, f"{why}. Accounts of the appliance itself work all the same.")
    return HttpResponseRedirect(reverse("admin:login"))
