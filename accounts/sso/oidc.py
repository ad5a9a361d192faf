"""People of an OpenID Connect provider sign in by its word (OpenID Connect Core 1.0, code flow).

mozilla-django-oidc does the exchange; what it leaves open is checked here: that the ID token is by
this issuer, for this console and not over its time, and that both answers are of one person.
"""

from __future__ import annotations

import logging
from typing import Any

import jwt
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest
from django.utils import timezone
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from accounts.models import Kind
from accounts.sso.people import NotLetIn, Vouched, let_in, roles_of
from accounts.sso.provider import ProviderAway, ours, provider, signing_keys, verify
from policies.services import record_change

_ALGORITHMS = ["RS256", "ES256"]
_CLOCKS_DIFFER_BY = 60  # seconds
_MOST_GROUPS = 1000

log = logging.getLogger(__name__)


def setting(name: str, *default: Any) -> Any:
    """Return what mozilla-django-oidc wants to know, of our settings and the provider's word."""
    here = ours()
    known = {
        "OIDC_RP_CLIENT_ID": here.client_id,
        "OIDC_RP_CLIENT_SECRET": here.client_secret,
        "OIDC_RP_SCOPES": here.scopes,
        "OIDC_RP_SIGN_ALGO": "RS256",  # that there are keys to be fetched; see get_payload_data
        "OIDC_AUTHENTICATION_CALLBACK_URL": "sign-in:from-provider",
        "OIDC_USE_PKCE": True,
        "OIDC_VERIFY_SSL": verify(),
        "OIDC_TIMEOUT": here.seconds,
    }
    if name in known:
        return known[name]
    if name in _ENDPOINTS:
        found = provider(now=timezone.now())  # noqa: TID251  an edge
        return getattr(found, _ENDPOINTS[name])
    return getattr(settings, name, *default)


_ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization",
    "OIDC_OP_TOKEN_ENDPOINT": "token",
    "OIDC_OP_USER_ENDPOINT": "userinfo",
    "OIDC_OP_JWKS_ENDPOINT": "keys",
}


class ProviderBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Takes the code that the provider sent a browser back with."""

    get_settings = staticmethod(setting)

    def __init__(self) -> None:
        """Ask for nothing yet: Django makes one for every sign-in, also with a password."""
        self.UserModel = User

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        """Return the user, None where the provider or we say no, with the reason in the log."""
        if request is None or "nonce" not in kwargs:
            return None
        try:
            super().__init__()
            found: User | None = super().authenticate(request, **kwargs)
        except (requests.RequestException, ProviderAway) as error:
            log.warning("the OpenID Connect provider gave no answer: %s", error)
        except (jwt.PyJWTError, SuspiciousOperation, KeyError, TypeError, ValueError) as error:
            log.warning("the OpenID Connect provider's answer is refused: %r", error)
        except NotLetIn as refused:
            log.warning("OpenID Connect sign-in refused: %s", refused)
            now = timezone.now()  # noqa: TID251  an edge
            subject = "sign-in by the provider"
            told = {"why": str(refused)}
            record_change(actor="console", verb="refuse", subject=subject, after=told, now=now)
        else:
            return found
        return None

    def retrieve_matching_jwk(self, token: str) -> jwt.PyJWK:
        """Return the key that a token names, or the only one there is (RFC 7515, 4.1.4)."""
        now = timezone.now()  # noqa: TID251  an edge
        named = jwt.get_unverified_header(token).get("kid")
        keys = jwt.PyJWKSet.from_json(signing_keys(now=now).decode()).keys
        fitting = [key for key in keys if named is None or key.key_id == named]
        if len(fitting) != 1:
            raise SuspiciousOperation(f"{len(fitting)} keys of the provider fit the ID token")
        return fitting[0]

    def get_payload_data(self, token: str, key: Any) -> dict[str, Any]:
        """Return what a token says that this issuer signed for this console, and lately."""
        here = ours()
        said: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=_ALGORITHMS,
            audience=here.client_id,
            issuer=here.issuer,
            leeway=_CLOCKS_DIFFER_BY,
            options={"require": ["exp", "iat", "aud", "iss", "sub"]},
        )
        return said

    def get_or_create_user(self, access_token: str, id_token: str, payload: Any) -> User | None:
        """Return the user whom the provider vouches for. Raises NotLetIn."""
        told = {**self.get_userinfo(access_token, id_token, payload)}
        if told.get("sub") != payload["sub"]:
            raise SuspiciousOperation("the provider's two answers are of two persons")
        claims = {**payload, **told}
        mapped = ours().roles
        vouched = Vouched(
            kind=Kind.OIDC,
            subject=str(payload["sub"]),
            name=str(claims.get(ours().name_claim) or ""),
            email=str(claims.get("email") or ""),
            first_name=str(claims.get("given_name") or ""),
            last_name=str(claims.get("family_name") or ""),
        )
        roles = roles_of(_groups(claims), mapped=mapped)
        now = timezone.now()  # noqa: TID251  an edge
        return let_in(vouched, roles=roles, mapped=mapped, now=now)


def _groups(claims: dict[str, Any]) -> list[str]:
    """Return a person's groups; some providers write one as plain text."""
    held = claims.get(ours().roles_claim) or []
    groups = [held] if isinstance(held, str) else held
    return [str(group) for group in groups[:_MOST_GROUPS]] if isinstance(groups, list) else []
