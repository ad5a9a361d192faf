"""The steps of a sign-in: the password or a provider's word, then what else is asked for.

Between them the session holds who it will be, and belongs to nobody: there is nothing that a page
or the API could take it for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from accounts.people import subject_of
from accounts.second_factor import factor_of
from policies.services import record_change

# Steps are taken within this time, or begun anew.
WITHIN = timedelta(minutes=10)
_PENDING = "sign_in"  # in a session: [user, his password's hash, backend, how, where to, seconds]
_SETTLED = "second_factor"  # in a session: "passed", or the setting under which none was asked for
_PASSED = "passed"
_OPERATORS = ("owner", "operator")


class Step(Enum):
    """What a sign-in asks for next."""

    CODE = "code"
    SET_UP = "set-up"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in under way."""

    user: User
    backend: str
    how: str  # "password", or what vouched for him
    next_url: str


def next_step(user: User) -> Step:
    """Return what a person is asked for after the password."""
    if factor_of(user) is not None:
        return Step.CODE
    return Step.SET_UP if must_have_factor(user) else Step.DONE


def must_have_factor(user: User) -> bool:
    """Tell whether the site wants this person to have a second factor."""
    wanted: str = settings.TSCM_SECOND_FACTOR
    if wanted == "operators":
        return user.is_superuser or user.groups.filter(name__in=_OPERATORS).exists()
    return wanted == "everybody"


def is_settled(session: SessionBase) -> bool:
    """Tell whether the session's person was asked for all that is asked for today."""
    return session.get(_SETTLED) in {_PASSED, settings.TSCM_SECOND_FACTOR}


def settle(session: SessionBase, *, passed: bool) -> None:
    """Note in a session that its person passed, or that nothing more was asked for."""
    session[_SETTLED] = _PASSED if passed else settings.TSCM_SECOND_FACTOR


def begin(
    request: HttpRequest, *, user: User, backend: str, how: str, next_url: str, now: datetime
) -> Step:
    """Go on after the password: sign in where nothing else is asked for; return what is next."""
    step = next_step(user)
    if step is Step.DONE:
        _complete(request, Pending(user, backend, how, next_url), proof=how, passed=False, now=now)
        return step
    request.session.flush()
    held = user.get_session_auth_hash()
    request.session[_PENDING] = [user.pk, held, backend, how, next_url, now.timestamp()]
    request.session.set_expiry(WITHIN)
    return step


def pending(request: HttpRequest, *, now: datetime) -> Pending | None:
    """Return the sign-in that is under way in this session, None when there is none any more.

    It ends with the password that it began with: whoever stole that one must not go on with it.
    """
    held = request.session.get(_PENDING)
    if not held:
        return None
    pk, password, backend, how, next_url, began = held
    is_late = abs(now.timestamp() - began) > WITHIN.total_seconds()
    user = User.objects.filter(pk=pk, is_active=True).first()
    if is_late or user is None:
        return None
    if not constant_time_compare(password, user.get_session_auth_hash()):
        return None
    return Pending(user, backend, how, next_url)


def finish(request: HttpRequest, under_way: Pending, *, proof: str, now: datetime) -> None:
    """Sign in who gave his second factor too; `proof` says which."""
    whole = f"{under_way.how} and {proof}"
    _complete(request, under_way, proof=whole, passed=True, now=now)


def _complete(
    request: HttpRequest, under_way: Pending, *, proof: str, passed: bool, now: datetime
) -> None:
    name = under_way.user.get_username()
    request.session.flush()
    auth.login(request, under_way.user, backend=under_way.backend)
    settle(request.session, passed=passed)
    record_change(
        actor=f"console:{name}"[:150], verb="sign-in", subject=subject_of(under_way.user), now=now,
        after={"with": proof},
    )  # fmt: skip
