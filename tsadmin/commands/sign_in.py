"""unlock, reset-factor, sessions list and end: people who sign in to the console."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User

from accounts import lockout, second_factor, sessions as services
from accounts.models import Session
from tsadmin.errors import Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

_COLUMNS = ("ID", "User", "Signed in", "Seen last", "Address", "Browser")


def unlock(*, username: str | None, address: str | None, now: datetime, as_json: bool) -> None:
    """Forget failed sign-ins, and print how many."""
    if address is not None and lockout.counted_address(address) is None:
        raise Refused(f"{address} is no address")
    forgotten = lockout.unlock(actor=actor(), now=now, username=username, address=address)
    if as_json:
        print_json({"forgotten": forgotten})
    elif forgotten:
        print_line(f"Forgot {forgotten} failed sign-ins.", tone="success")
    else:
        print_hint("There were none that count.")


def reset_factor(*, username: str, now: datetime, as_json: bool) -> None:
    """Forget a person's second factor."""
    user = _user(username)
    second_factor.reset_factor(user=user, actor=actor(), now=now)
    if as_json:
        print_json({"reset": username})
    else:
        print_line(f"{username} has no second factor any more, and is signed out.", tone="success")


def list_sessions(*, username: str | None, now: datetime, as_json: bool) -> None:
    """Print who is signed in."""
    found = services.live_sessions(now=now)
    if username is not None:
        found = found.filter(user=_user(username))
    if as_json:
        print_json({"sessions": [_row_json(session) for session in found]})
    elif rows := [_row(session) for session in found]:
        print_table(_COLUMNS, rows)
    else:
        print_hint("Nobody is signed in.")


def end_sessions(*, pk: int | None, username: str | None, now: datetime, as_json: bool) -> None:
    """End one session, or all of a person."""
    if username is not None:
        ended = services.end_sessions(user=_user(username), actor=actor(), now=now)
    else:
        session = services.live_sessions(now=now).filter(pk=pk or 0).first()
        if session is None:
            raise Refused(f"there is no session {pk}; see 'tsadmin sessions list'")
        services.end_session(session=session, actor=actor(), now=now)
        ended = 1
    if as_json:
        print_json({"ended": ended})
    else:
        print_line(f"Ended {ended} session{'' if ended == 1 else 's'}.", tone="success")


def _user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise Refused(f"no user is named {username}; see 'tsadmin people list'")
    return user


def _row(session: Session) -> tuple[str, ...]:
    return (
        str(session.pk),
        session.user.get_username() if session.user else "",
        f"{session.began_at:%Y-%m-%d %H:%M}",
        f"{session.seen_at:%Y-%m-%d %H:%M}",
        session.address or "this machine",
        session.agent[:40],
    )


def _row_json(session: Session) -> dict[str, object]:
    return {
        "id": session.pk,
        "user": session.user.get_username() if session.user else "",
        "began_at": session.began_at,
        "seen_at": session.seen_at,
        "expires_at": session.expires_at,
        "address": session.address,
        "agent": session.agent,
    }
