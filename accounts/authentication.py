"""Who sends a request to the API, by its token."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import services
from accounts.models import ApiToken
from policies.origin import came_by

KEYWORD = "Bearer"


class ApiTokenAuthentication(BaseAuthentication):
    """Takes `Authorization: Bearer <token>`; other schemes are left to other classes."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return the token's user and the token, None where no token was sent.

        Raises AuthenticationFailed with one message for every reason, so that nothing is told.
        """
        scheme, _, text = get_authorization_header(request).partition(b" ")
        if scheme.lower() != KEYWORD.lower().encode():
            return None
        now = timezone.now()  # noqa: TID251  an edge
        # The bytes are hashed as they came: no decoding that odd ones could break.
        token = services.find_token(text=text.strip(), now=now)
        if token is None:
            raise AuthenticationFailed("The token is not known, or it has expired.")
        services.note_use(token=token, now=now)
        came_by(f"API, token {token.name}")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  DRF's signature
        """Return what a 401 asks for."""
        return KEYWORD
