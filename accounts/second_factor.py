"""Set up, ask for and remove the second factor of a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.contrib.auth.models import User
from django.db import transaction

from accounts import one_time_codes
from accounts.models import RecoveryCode, SecondFactor, Session
from policies.services import record_change

# Who has begun and not confirmed within this time begins anew.
SET_UP_WITHIN = timedelta(hours=1)
_FREE_FAILURES = 3
# django-otp doubles the wait without an end: whoever knows a password could shut its owner out for
# years. A guess a quarter of an hour is hopeless all the same.
_LONGEST_WAIT = timedelta(minutes=15)
_LONGEST_CODE = 64


class How(Enum):
    """What a person proved himself with."""

    PHONE = "code"
    RECOVERY = "recovery code"


class CodeRefused(ValueError):
    """The code is not taken; the message says why and what to do."""


class FactorRefused(ValueError):
    """A second factor cannot be set up or removed this way; the message says why."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A code that was taken."""

    how: How
    codes_left: int  # recovery codes


def factor_of(user: User) -> SecondFactor | None:
    """Return the person's second factor, None while there is none that counts."""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).first()


def begin_set_up(*, user: User, now: datetime) -> SecondFactor:
    """Make a factor that does not count yet. Raises FactorRefused where one counts already.

    Each begin has a secret of its own: whoever else knows the password must not see the one that
    its owner then confirms.
    """
    SecondFactor.objects.filter(confirmed_at=None, created_at__lte=now - SET_UP_WITHIN).delete()
    if factor_of(user) is not None:
        raise FactorRefused("There is a second factor already; remove it before you set up another")
    return SecondFactor.objects.create(
        user=user, secret=one_time_codes.new_secret(), created_at=now
    )


def begun_set_up(*, user: User, pk: object, now: datetime) -> SecondFactor | None:
    """Return what was begun here, None when that was too long ago."""
    if not isinstance(pk, int):
        return None
    begun = SecondFactor.objects.filter(pk=pk, user=user, confirmed_at=None)
    return begun.filter(created_at__gt=now - SET_UP_WITHIN).first()


def confirm_set_up(
    *, factor: SecondFactor, code: str, actor: str, now: datetime
) -> tuple[str, ...]:
    """Let a factor count from now on, and return its recovery codes, which are shown this once.

    The code proves that the phone has the secret. Raises CodeRefused, FactorRefused.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=factor.user_id)
        if factor_of(factor.user) is not None:
            raise FactorRefused("There is a second factor already; sign in with its code")
        step = _step(factor, code, now=now)
        if step is None:
            raise CodeRefused(_WRONG)
        factor.confirmed_at, factor.last_step = now, step
        factor.save(update_fields=["confirmed_at", "last_step"])
        SecondFactor.objects.filter(user=factor.user, confirmed_at=None).delete()
        record_change(
            actor=actor, verb="set-up", subject=_subject(factor), now=now,
            after={"second factor": "on"},
        )  # fmt: skip
        return _write_recovery_codes(factor)


def check_code(*, user: User, code: str, now: datetime) -> Proof:
    """Take a code of the phone or a recovery code, each once. Raises CodeRefused."""
    with transaction.atomic():
        factor = (
            SecondFactor.objects.select_for_update()
            .filter(user=user, confirmed_at__isnull=False)
            .first()
        )
        if factor is None:
            raise CodeRefused("There is no second factor any more; sign in again")
        if (wait := _wait(factor, now=now)) > timedelta(0):
            raise CodeRefused(_paused(wait))
        how = _how(factor, code[:_LONGEST_CODE], now=now)
        if how is not None:
            factor.failures, factor.failed_at, factor.used_at = 0, None, now
        else:
            factor.failures, factor.failed_at = min(factor.failures + 1, 1000), now
        factor.save(update_fields=["failures", "failed_at", "used_at", "last_step"])
    if how is None:  # outside: the count of failures must not be rolled back
        raise CodeRefused(_WRONG)
    return Proof(how, factor.recovery_codes.filter(used_at=None).count())


def renew_recovery_codes(*, factor: SecondFactor, actor: str, now: datetime) -> tuple[str, ...]:
    """Make ten new recovery codes; the ones before are worth nothing any more."""
    with transaction.atomic():
        factor.recovery_codes.all().delete()
        record_change(
            actor=actor, verb="renew", subject=f"recovery codes of {factor.user.get_username()}",
            now=now,
        )  # fmt: skip
        return _write_recovery_codes(factor)


def remove_factor(*, factor: SecondFactor, actor: str, now: datetime) -> None:
    """Forget a person's second factor and its recovery codes."""
    with transaction.atomic():
        record_change(
            actor=actor, verb="remove", subject=_subject(factor), now=now,
            before={"second factor": "on"},
        )  # fmt: skip
        factor.delete()


def reset_factor(*, user: User, actor: str, now: datetime) -> None:
    """Forget the second factor of somebody who lost it, and end his sessions.

    A phone that is lost may be in other hands, and signed in. Raises FactorRefused.
    """
    factor = factor_of(user)
    if factor is None:
        raise FactorRefused(f"{user.get_username()} has no second factor")
    with transaction.atomic():
        remove_factor(factor=factor, actor=actor, now=now)
        Session.objects.filter(user=user).delete()


def _how(factor: SecondFactor, code: str, *, now: datetime) -> How | None:
    step = _step(factor, code, now=now)
    if step is not None:
        factor.last_step = step
        return How.PHONE
    held = factor.recovery_codes.filter(digest=one_time_codes.digest_of(code), used_at=None)
    return How.RECOVERY if held.update(used_at=now) == 1 else None


def _step(factor: SecondFactor, code: str, *, now: datetime) -> int | None:
    """Return the time step of a phone's code that is good now and was not used before."""
    plain = one_time_codes.plain_code(code)
    return one_time_codes.step_of(factor.secret, plain, after=factor.last_step, now=now)


def _wait(factor: SecondFactor, *, now: datetime) -> timedelta:
    """Return how long no code is looked at: longer with each wrong one, 15 minutes at most.

    A failure that lies further ahead than that is of a clock that was set back since.
    """
    more = factor.failures - _FREE_FAILURES
    if more < 0 or factor.failed_at is None or factor.failed_at > now + _LONGEST_WAIT:
        return timedelta(0)
    wait = min(timedelta(seconds=2 ** min(more, 16)), _LONGEST_WAIT)
    return factor.failed_at + wait - now


def _write_recovery_codes(factor: SecondFactor) -> tuple[str, ...]:
    codes = one_time_codes.new_recovery_codes()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(factor=factor, digest=one_time_codes.digest_of(code)) for code in codes
    )
    return codes


def _subject(factor: SecondFactor) -> str:
    return f"second factor of {factor.user.get_username()}"


def _paused(wait: timedelta) -> str:
    seconds = int(wait.total_seconds()) + 1
    return f"Too many wrong codes. Wait {seconds} seconds, then give the code that the phone shows"


_WRONG = (
    "This code is wrong, or it was used before. Wait for the next one; if that is refused too, "
    "set the phone's clock by the network"
)
