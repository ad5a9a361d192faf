"""Whom somebody is here whom another system vouches for, and what he may do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group, User
from django.db import transaction

from accounts.models import ExternalAccount, Kind, Session
from accounts.people import subject_of
from accounts.sso.settings import RoleMap
from policies.services import record_change

_NAME = re.compile(r"[\w.@+-]{1,150}")
_LONGEST_SUBJECT = 255


class NotLetIn(Exception):
    """Somebody is who he says and still gets no access; the message is for the log."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """What another system says of somebody."""

    kind: Kind
    subject: str  # what he is there for ever; his name may change hands
    name: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""


def roles_of(groups: Iterable[str], *, mapped: RoleMap) -> frozenset[str]:
    """Return the roles that membership in `groups` gives; capitals make no difference."""
    held = {_plain(group) for group in groups}
    return frozenset(role for role, group in mapped if _plain(group) in held)


def let_in(vouched: Vouched, *, roles: frozenset[str], mapped: RoleMap, now: datetime) -> User:
    """Return the user, made at his first sign-in, with exactly these roles of the mapped ones.

    His sessions end where they changed. Raises NotLetIn: for a name that is a local account's or
    another's, and for who has no role any more.
    """
    user = _user_of(vouched, may_make=bool(roles))
    _give(user, roles, mapped=mapped, by=vouched.kind, now=now)
    if not roles:
        raise NotLetIn(f"{vouched.name} is in no group that gives a role")
    if not user.is_active:
        raise NotLetIn(f"{vouched.name} is switched off here")
    return user


def _user_of(vouched: Vouched, *, may_make: bool) -> User:
    subject = vouched.subject[:_LONGEST_SUBJECT]
    held = ExternalAccount.objects.select_related("user")
    account = held.filter(kind=vouched.kind, subject=subject).first()
    if account is not None:
        return _refreshed(account.user, vouched)
    if not may_make:
        raise NotLetIn(f"{vouched.name} is in no group that gives a role")
    if not _NAME.fullmatch(vouched.name):
        raise NotLetIn(
            f"{vouched.name[:40]!r} is no name for a user: letters, digits and @.+-_ are"
        )
    if User.objects.filter(username__iexact=vouched.name).exists():
        raise NotLetIn(f"there is another user {vouched.name}: rename or delete that one first")
    with transaction.atomic():
        user = User(username=vouched.name, is_staff=True)
        user.set_unusable_password()
        user.save()
        ExternalAccount.objects.create(user=user, kind=vouched.kind, subject=subject)
    return _refreshed(user, vouched)


def _refreshed(user: User, vouched: Vouched) -> User:
    user.email = vouched.email[:254]
    user.first_name, user.last_name = vouched.first_name[:150], vouched.last_name[:150]
    user.save(update_fields=["email", "first_name", "last_name"])
    return user


def _give(user: User, roles: frozenset[str], *, mapped: RoleMap, by: Kind, now: datetime) -> None:
    """Let the user have `roles` and no other mapped one; other groups are left alone."""
    theirs = {role for role, _ in mapped}
    held = frozenset(user.groups.filter(name__in=theirs).values_list("name", flat=True))
    if held == roles and user.is_staff == bool(roles):
        return
    with transaction.atomic():
        user.groups.remove(*Group.objects.filter(name__in=held - roles))
        user.groups.add(*Group.objects.filter(name__in=roles - held))
        User.objects.filter(pk=user.pk).update(is_staff=bool(roles))
        user.is_staff = bool(roles)
        # They were let in as what he is no more: a second factor may be asked of him now.
        Session.objects.filter(user=user).delete()
        record_change(
            actor=f"sign-in:{by.value}", verb="change", subject=subject_of(user),
            before={"roles": sorted(held)}, after={"roles": sorted(roles)}, now=now,
        )  # fmt: skip


def _plain(group: str) -> str:
    """Return a group's name or DN as it is compared."""
    return re.sub(r"\s*([,=])\s*", r"\1", group.strip()).casefold()
