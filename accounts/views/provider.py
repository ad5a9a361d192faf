"""The way to the site's OpenID Connect provider and back; nothing is here where it has none."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse


def to_provider(request: HttpRequest) -> HttpResponse:
    """Send a browser to the provider."""
    _require_provider()
    # What it stands on is an optional package.
    from accounts.sso import views

    return views.to_provider(request)


def from_provider(request: HttpRequest) -> HttpResponse:
    """Take a browser back from the provider."""
    _require_provider()
    from accounts.sso import views

    return views.from_provider(request)


def _require_provider() -> None:
    if settings.TSCM_OIDC is None:
        raise Http404("This site has no OpenID Connect provider.")
