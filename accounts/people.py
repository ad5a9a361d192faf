"""The writes of people: add them, give and take roles, switch them off; everything is recorded.

There is always an owner: what would leave none is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Manager, ProtectedError

from accounts.models import Session
from accounts.roles import OWNER, OWNERS, ROLES, role_names
from policies.services import record_change

_COLUMNS = (
    "username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser",
)  # fmt: skip

# What a person may do. A session was let in with what was asked of him before it changed.
_POWERS = ("is_active", "is_staff", "is_superuser", "groups", "rights")


class PeopleRefused(ValueError):
    """People cannot be changed this way; the message says why and what to do."""


def add_person(*, username: str, role: str, password: str, actor: str, now: datetime) -> User:
    """Add a person with one role, who may sign in to the console. Raises PeopleRefused."""
    _known(role)
    user = User(username=username, is_staff=True)
    try:
        user.clean_fields(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        raise PeopleRefused(" ".join(error.messages)) from error
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            user.groups.add(Group.objects.get(name=role))
            record_change(
                actor=actor, verb="add", subject=subject_of(user), now=now, after=facts_of(user)
            )
    except IntegrityError as error:
        raise PeopleRefused(f"a person named {username} exists; choose another name") from error
    return user


def set_role(*, user: User, role: str, actor: str, now: datetime) -> None:
    """Give a person one role in place of those held; groups that are no roles stay."""
    _known(role)
    with recorded(user, verb="set role", actor=actor, now=now):
        user.groups.remove(*user.groups.filter(name__in=[*ROLES]))
        user.groups.add(Group.objects.get(name=role))
        user.is_staff = True  # a role is of no use to who may not open the console
        user.save(update_fields=["is_staff"])


def set_active(*, user: User, is_active: bool, actor: str, now: datetime) -> None:
    """Let a person sign in or not; the tokens of one who may not are refused too."""
    verb = "switch on" if is_active else "switch off"
    with recorded(user, verb=verb, actor=actor, now=now):
        user.is_active = is_active
        user.save(update_fields=["is_active"])


def remove_person(*, user: User, actor: str, now: datetime) -> None:
    """Remove a person, with all tokens.

    Raises PeopleRefused for the last owner, and for somebody whose saved reports others get.
    """
    with transaction.atomic():
        # The row first and then the record, as everybody does: else two would wait for each other.
        User.objects.select_for_update().get(pk=user.pk)
        before, subject = facts_of(user), subject_of(user)
        record_change(actor=actor, verb="remove", subject=subject, now=now, before=before)
        try:
            user.delete()
        except ProtectedError as error:
            raise PeopleRefused(_still_owns(user, error)) from error
        keep_an_owner()


@contextmanager
def recorded(user: User, *, verb: str, actor: str, now: datetime) -> Iterator[None]:
    """Record what is done to a person inside, all or nothing; raises PeopleRefused."""
    with transaction.atomic():
        before = facts_of(user)
        yield
        record_person(user, verb=verb, before=before, actor=actor, now=now)


def record_person(
    user: User,
    *,
    verb: str,
    before: Mapping[str, Any],
    actor: str,
    now: datetime,
    but_digest: str = "",
) -> None:
    """Record what was done to a person in this transaction. Raises PeopleRefused.

    His sessions end where he may do other things now, but for the one with `but_digest`.
    """
    after = facts_of(user)
    if after == before:
        return
    record_change(
        actor=actor, verb=verb, subject=subject_of(user), now=now, before=before, after=after
    )
    # Behind the record, whose writers take turns: two owners who demote each other at once would
    # each still see the other one.
    keep_an_owner()
    if any(before.get(name) != after[name] for name in _POWERS):
        Session.objects.filter(user=user).exclude(digest=but_digest).delete()


def record_password(user: User, *, held: str, actor: str, now: datetime) -> None:
    """Record that a person's password was set, where its hash is another one than `held`."""
    if User.objects.values_list("password", flat=True).get(pk=user.pk) != held:
        record_change(actor=actor, verb="set password", subject=subject_of(user), now=now)


def keep_an_owner() -> None:
    """Raise PeopleRefused where nobody is left who may manage people."""
    if not User.objects.filter(OWNERS).exists():
        raise PeopleRefused(
            f"somebody must stay who may manage people; give another person the role {OWNER} first"
        )


def facts_of(user: User) -> Mapping[str, Any]:
    """Return what the record says of a person, as the database has it now; no password."""
    row = User.objects.get(pk=user.pk)
    return {
        **{name: getattr(row, name) for name in _COLUMNS},
        "groups": sorted(row.groups.values_list("name", flat=True)),
        "rights": right_names(row.user_permissions),
    }


def right_names(held: Manager[Permission]) -> list[str]:
    """Return the names of rights, such as 'devices.view_device'."""
    columns = ("content_type__app_label", "codename")
    return [f"{app}.{name}" for app, name in held.order_by(*columns).values_list(*columns)]


def subject_of(user: User) -> str:
    """Return how the record names a person."""
    return f"user {user.get_username()}"


def is_owner(user: User) -> bool:
    """Tell whether a person may manage people: an owner by role, or a superuser."""
    return User.objects.filter(OWNERS, pk=user.pk).exists()


def roles_of(user: User) -> list[str]:
    """Return a person's roles, in the order of the table."""
    return role_names(user.groups.all())


def powers_of(user: User) -> list[str]:
    """Return a person's roles, and that somebody is a superuser."""
    return [*roles_of(user), *(["superuser"] if user.is_superuser else [])]


def _still_owns(user: User, error: ProtectedError) -> str:
    names = ", ".join(sorted(str(row) for row in error.protected_objects))
    return (
        f"{user.get_username()} still owns what others may use: {names}. Remove that first, or "
        f"switch the person off"
    )


def _known(role: str) -> None:
    if role not in ROLES:
        raise PeopleRefused(f"there is no role {role!r}; there are {', '.join(ROLES)}")
