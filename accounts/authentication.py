"""Who sends a request to the API, by its token."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts import services
from accounts.models import ApiToken, TokenRight
from policies.origin import came_by

KEYWORD = "Bearer"
# What a token of a right opens, method and path, where that is not the whole API. It is looked at
# here, where every token passes, so that no endpoint can forget it.
OPENS: dict[str, tuple[str, str]] = {TokenRight.ADD_ENTRIES: ("POST", "/api/v1/device-entries/")}


class ApiTokenAuthentication(BaseAuthentication):
    """Takes `Authorization: Bearer <token>`; other schemes are left to other classes."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return the token's user and the token, None where no token was sent.

        Raises AuthenticationFailed with one message for every reason, so that nothing is told, and
        PermissionDenied for what the token was not made for.
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
        _check_right(token, request)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  DRF's signature
        """Return what a 401 asks for."""
        return KEYWORD


def _check_right(token: ApiToken, request: Request) -> None:
    """Raise PermissionDenied for what the token is not for; a right that is not known is none."""
    if token.right == TokenRight.ALL:
        return
    opened = OPENS.get(token.right)
    if (request.method, request.path_info) != opened:
        opens = f"{' '.join(opened)} alone" if opened else "nothing here"
        raise PermissionDenied(
            f"This token is for {token.get_right_display()}: it opens {opens}. For anything else, "
            f"make a token with the right {TokenRight.ALL}."
        )
