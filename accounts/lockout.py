"""Guessing of passwords is slowed down: by person and address, and by address alone.

django-axes counts; here is what it counts, whom it tells, and how a lock ends before its time.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max, Q, QuerySet, Sum
from django.http import HttpRequest

from accounts.models import FailedSignIn
from policies.services import record_change

# People share an address, so it may fail more often than one person there.
PERSONS_AN_ADDRESS = 4
# Whoever has an IPv6 address has the /64 around it.
_NETWORK6 = 64
_LONGEST_NAME = 150


@dataclass(frozen=True, slots=True)
class Lock:
    """Sign-ins that are refused for a while, whatever the password."""

    failures: int
    until: datetime

    def minutes(self, *, now: datetime) -> int:
        """Return how long it lasts, in minutes, at least one."""
        return max(1, ceil((self.until - now).total_seconds() / 60))


def address_of(request: HttpRequest) -> str | None:
    """Return what failures are counted by: an IPv4 address, the /64 around an IPv6 one.

    None for what is no address, such as that of a unix socket.
    """
    return counted_address(str(request.META.get("REMOTE_ADDR", "")))


def counted_address(text: str) -> str | None:
    """Return how failures from an address are counted, None for what is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    network = ipaddress.ip_network((address, _NETWORK6), strict=False)
    return str(network.network_address)


def counted_name(_request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """Return how failures of a name are counted: small letters, and no longer than a name is.

    Directories know no capitals: `alice` and `Alice` must not have five guesses each.
    """
    return _plain_name(str((credentials or {}).get("username") or ""))


def lock_of(*, username: str, address: str | None, now: datetime) -> Lock | None:
    """Return the lock on a person at an address, None when a sign-in is looked at."""
    name = _plain_name(username)
    counted = [
        _counted(_recent(now=now).filter(username=name, ip_address=address), weight=1),
        _counted(_recent(now=now).filter(ip_address=address), weight=PERSONS_AN_ADDRESS),
    ]
    locks = [lock for lock in counted if lock is not None]
    return max(locks, key=lambda lock: lock.until, default=None)


def locked_rows(*, now: datetime) -> QuerySet[FailedSignIn]:
    """Return the failures that count now, those of last first."""
    return _recent(now=now).order_by("-attempt_time", "-id")


def unlock(
    *, actor: str, now: datetime, username: str | None = None, address: str | None = None
) -> int:
    """Forget failures: of a person, of an address, or all; return how many.

    An address that is locked for all stays so unless it is named, or all are meant.
    """
    asked = Q()
    if username is not None:
        asked &= Q(username=_plain_name(username))
    if address is not None:
        asked &= Q(ip_address=counted_address(address))
    rows = FailedSignIn.objects.filter(asked)
    with transaction.atomic():
        failures = _failures(rows)
        if failures:
            record_change(
                actor=actor, verb="unlock", subject=_subject(username, address),
                before={"failed sign-ins": failures}, now=now,
            )  # fmt: skip
        rows.delete()
    return failures


def prune_failures(*, now: datetime) -> int:
    """Delete the failures that count no more; return how many rows."""
    old = FailedSignIn.objects.exclude(_counts(now))
    deleted: int = old.delete()[0]
    return deleted


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """Counts by person and address, and a looser count by address; tells the record of changes."""

    def get_user_attempts(
        self, request: Any, credentials: Mapping[str, Any] | None = None
    ) -> list[QuerySet[FailedSignIn]]:
        """Return the failures that count now, by person and address and by address."""
        counting = _counts(request.axes_attempt_time)
        return [rows.filter(counting) for rows in self.filter_user_attempts(request, credentials)]

    def get_failures(
        self, request: HttpRequest, credentials: Mapping[str, Any] | None = None
    ) -> int:
        """Return the failures that stand against a sign-in, in the measure of one person."""
        by_person, by_address = map(_failures, self.get_user_attempts(request, credentials))
        return max(by_person, by_address // PERSONS_AN_ADDRESS)

    def user_login_failed(
        self,
        sender: object,
        credentials: dict[str, Any],
        request: Any = None,
        **kwargs: object,
    ) -> None:
        """Count a failure, and write down the first and the one that locks: not every guess.

        What a provider said no to has no name, and nobody guessed anything.
        """
        name = counted_name(request, credentials)
        if request is None or not name:
            return
        was_locked, now = request.axes_locked_out, request.axes_attempt_time
        super().user_login_failed(sender, credentials, request, **kwargs)
        if was_locked:
            return
        user = User.objects.filter(username__iexact=name).first()
        # A password that was typed into the wrong field must not be written down for ever.
        subject = f"sign-in of {user.get_username() if user else 'an unknown user'}"
        if request.axes_locked_out:
            told = {"failures": request.axes_failures_since_start}
            record_change(actor="console", verb="lock", subject=subject, after=told, now=now)
        elif self._is_first(request, name if user else None, now=now):
            record_change(actor="console", verb="refuse", subject=subject, now=now)

    def reset_user_attempts(
        self, request: HttpRequest, credentials: Mapping[str, Any] | None = None
    ) -> int:
        """Forget the failures of who has signed in, there.

        Those of others at that address stay: else whoever has an account could guess on for ever,
        signing in between.
        """
        by_person, _ = self.filter_user_attempts(request, credentials)
        deleted: int = by_person.delete()[0]
        return deleted

    def _is_first(self, request: Any, known: str | None, *, now: datetime) -> bool:
        """Tell whether it is a person's first failure there; for unknown names, the address's."""
        rows = _recent(now=now).filter(ip_address=request.axes_ip_address)
        if known is not None:
            rows = rows.filter(username=known)
        return _failures(rows) == 1


def _recent(*, now: datetime) -> QuerySet[FailedSignIn]:
    counting: QuerySet[FailedSignIn] = FailedSignIn.objects.filter(_counts(now))
    return counting


def _counts(now: datetime) -> Q:
    """Return what counts now. What lies further ahead is of a clock that was set back since."""
    cool_off = settings.AXES_COOLOFF_TIME
    return Q(attempt_time__gte=now - cool_off, attempt_time__lte=now + cool_off)


def _failures(rows: QuerySet[FailedSignIn]) -> int:
    found = rows.aggregate(failures=Sum("failures_since_start"))
    return found["failures"] or 0


def _counted(rows: QuerySet[FailedSignIn], *, weight: int) -> Lock | None:
    found = rows.aggregate(failures=Sum("failures_since_start"), last=Max("attempt_time"))
    failures = found["failures"] or 0
    if failures // weight < settings.AXES_FAILURE_LIMIT:
        return None
    return Lock(failures, found["last"] + settings.AXES_COOLOFF_TIME)


def _plain_name(name: str) -> str:
    return name.strip().casefold()[:_LONGEST_NAME]


def _subject(username: str | None, address: str | None) -> str:
    if username is None and address is None:
        return "sign-in of everybody"
    who = "everybody" if username is None else username[:100]
    return f"sign-in of {who}" + (f" from {address}" if address else "")
