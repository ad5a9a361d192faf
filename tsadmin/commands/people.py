"""people list, add, role, disable, enable: who may do what."""

from __future__ import annotations

import secrets
import sys
from datetime import datetime
from pathlib import Path

from django.contrib.auth.models import User

from accounts import people
from tsadmin.commands.tokens import find_user
from tsadmin.errors import Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("User", "Role", "Sees devices of", "Signs in", "Last sign-in")
_LONGEST = 4096  # characters of a password file


def list_people(*, as_json: bool) -> None:
    """Print the people."""
    rows = User.objects.prefetch_related("groups", "device_groups").order_by("username")
    if as_json:
        print_json({"people": [_row_json(user) for user in rows]})
        return
    print_table(COLUMNS, [_row(user) for user in rows])


def add_person(*, name: str, role: str, password_file: str, now: datetime, as_json: bool) -> None:
    """Add a person; a password that is made here is printed this once."""
    given = _password(password_file) if password_file else ""
    password = given or secrets.token_urlsafe(15)
    user = people.add_person(username=name, role=role, password=password, actor=actor(), now=now)
    made = {} if given else {"password": password}
    if as_json:
        print_json({**_row_json(user), **made})
        return
    print_hint(f"Added {name}, {role}.")
    if made:
        print_line(password)
        print_hint("Shown this once. The console lets a person choose another.")


def set_role(*, name: str, role: str, now: datetime, as_json: bool) -> None:
    """Give a person another role."""
    user = find_user(name)
    people.set_role(user=user, role=role, actor=actor(), now=now)
    _tell(user, f"{name} is {role} from now on.", as_json=as_json)


def set_active(*, name: str, is_active: bool, now: datetime, as_json: bool) -> None:
    """Let a person sign in, or not."""
    user = find_user(name)
    people.set_active(user=user, is_active=is_active, actor=actor(), now=now)
    said = "may sign in again" if is_active else "may sign in no more"
    _tell(user, f"{name} {said}.", as_json=as_json)


def _tell(user: User, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_row_json(User.objects.get(pk=user.pk)))
    else:
        print_line(sentence, tone="success")


def _password(file: str) -> str:
    try:
        text = sys.stdin.read(_LONGEST) if file == "-" else Path(file).read_text()[:_LONGEST]
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"the password file {file} cannot be read: {error}") from error
    line = text.partition("\n")[0].rstrip("\r")
    if not line:
        raise Refused(f"the password file {file} is empty")
    return line


def _groups(user: User) -> list[str]:
    return sorted(group.name for group in user.device_groups.all())


def _row(user: User) -> tuple[str, ...]:
    last = user.last_login
    return (
        user.get_username(), ", ".join(people.powers_of(user)), ", ".join(_groups(user)) or "all",
        "yes" if user.is_active else "no", f"{last:%Y-%m-%d %H:%M}" if last else "never",
    )  # fmt: skip


def _row_json(user: User) -> dict[str, object]:
    return {
        "user": user.get_username(), "roles": people.powers_of(user),
        "device_groups": _groups(user), "is_active": user.is_active, "last_login": user.last_login,
    }  # fmt: skip
