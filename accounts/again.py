"""Who is signed in proves once more that he is it, before something that would outlast the session.

A browser that was left open is signed in too.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest

from accounts.models import ExternalAccount, Kind
from accounts.session_store import BEGAN
from accounts.steps import WITHIN


class NotAgain(ValueError):
    """The person did not prove it; the message says what to do."""


class Again(Enum):
    """What a person is asked for once more."""

    NOTHING = auto()
    PASSWORD = auto()
    SIGN_IN = auto()


def again(request: HttpRequest, user: User, *, now: datetime) -> Again:
    """Return what is asked for once more: the password, or a new sign-in of who has none here."""
    if not ExternalAccount.objects.filter(user=user, kind=Kind.OIDC).exists():
        return Again.PASSWORD
    began: float = request.session.get(BEGAN, 0.0)
    is_young = abs(now.timestamp() - began) <= WITHIN.total_seconds()
    return Again.NOTHING if is_young else Again.SIGN_IN


def check_again(request: HttpRequest, user: User, wanted: Again) -> None:
    """Look for the person's password in the form where it is wanted. Raises NotAgain.

    Guesses count as at a sign-in.
    """
    if wanted is not Again.PASSWORD:
        return
    given = request.POST.get("password", "")
    found = authenticate(request, username=user.get_username(), password=given)
    if found is None or found.pk != user.pk:
        raise NotAgain("The password is wrong")
