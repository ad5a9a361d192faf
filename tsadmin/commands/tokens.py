"""token create, list, delete: keys to the REST API."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import QuerySet

from accounts import services
from accounts.models import ApiToken, TokenRight
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("ID", "Name", "User", "Right", "Made", "Expires", "Last used")
_USERS_NAMED = 10


def create_token(
    *, name: str, username: str, days: int, right: str, now: datetime, as_json: bool
) -> None:
    """Make a token and print its text, which is shown this once."""
    user = find_user(username)
    if not user.is_active:
        raise Refused(f"{username} is not active, so a token would be refused; switch the user on")
    given = TokenRight(right)
    made = services.create_token(
        user=user, name=name, days=days, right=given, actor=actor(), now=now
    )
    if as_json:
        print_json({**_row_json(made.token), "token": made.text})
        return
    print_line(made.text)
    until = f"{made.token.expires_at:%Y-%m-%d %H:%M} UTC"
    may = f"may do what {username} may do"
    if given is not TokenRight.ALL:
        may = f"is for {given.label}"
    print_hint(f"Shown this once. It {may}, until {until}.")


def list_tokens(*, username: str | None, as_json: bool) -> None:
    """Print every token, or those of one user; never a text."""
    tokens = _tokens(username)
    rows = list(tokens.order_by("user__username", "name", "id"))
    if as_json:
        print_json({"tokens": [_row_json(token) for token in rows]})
    elif rows:
        print_table(COLUMNS, [_row(token) for token in rows])
    else:
        print_hint("No tokens yet. See 'tsadmin token create --help'.")


def delete_token(*, wanted: str, username: str | None, now: datetime, as_json: bool) -> None:
    """Delete a token by its ID, or by its name with the user whose it is."""
    token = _find_token(wanted, username=username)
    shown = _row_json(token)
    services.delete_token(token=token, actor=actor(), now=now)
    if as_json:
        print_json({"deleted": shown["id"], "name": shown["name"], "user": shown["user"]})
    else:
        print_line(f"Deleted {token.name} of {shown['user']}.", tone="success")


def find_user(username: str) -> User:
    """Return a user; raises Refused, which names those there are."""
    user = User.objects.filter(username=username).first()
    if user is not None:
        return user
    names = list(User.objects.order_by("username").values_list("username", flat=True))
    if not names:
        raise Refused(f"no user is named {username}; there is none yet, 'make run' makes the first")
    raise Refused(f"no user is named {username}; there are: {', '.join(names[:_USERS_NAMED])}")


def _tokens(username: str | None) -> QuerySet[ApiToken]:
    tokens = ApiToken.objects.select_related("user")
    return tokens if username is None else tokens.filter(user=find_user(username))


def _find_token(wanted: str, *, username: str | None) -> ApiToken:
    """Return the token; a name comes before an ID, as a name may be a number too."""
    tokens = _tokens(username)
    token = tokens.filter(name=wanted).first() if username is not None else None
    if token is None and wanted.isascii() and wanted.isdecimal() and len(wanted) < 19:
        token = tokens.filter(pk=int(wanted)).first()
    elif token is None and username is None:
        raise Misused(f"{wanted} is no ID: with a name, say whose it is with --user")
    if token is None:
        whose = "" if username is None else f" of {username}"
        raise Refused(f"there is no token {wanted}{whose}; see 'tsadmin token list'")
    return token


def _row(token: ApiToken) -> tuple[str, ...]:
    used = token.last_used_at
    return (
        str(token.pk),
        token.name,
        token.user.get_username(),
        token.right,
        f"{token.created_at:%Y-%m-%d}",
        f"{token.expires_at:%Y-%m-%d}",
        f"{used:%Y-%m-%d %H:%M}" if used else "never",
    )


def _row_json(token: ApiToken) -> dict[str, object]:
    return {
        "id": token.pk,
        "name": token.name,
        "user": token.user.get_username(),
        "right": token.right,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }
