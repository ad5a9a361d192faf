"""Who is signed in from where, and whether he proved enough for it."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser, User
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.addresses import NOTED_EVERY, protect_administrator
from accounts.roles import is_administrator
from accounts.session_store import BEGAN, SEEN
from accounts.steps import Step, is_settled, next_step, settle

_NOTED = "address_protected"  # in the session: [address, when]
_SEEN_EVERY = timedelta(minutes=5)
_LONGEST_ADDRESS, _LONGEST_AGENT = 45, 200

log = logging.getLogger(__name__)


class SecondFactorMiddleware:
    """A session that owes a second factor is nobody's, however it came to be.

    The pages of signing in begin none before the code was given; this one looks at all others: a
    session from before the setting, or from a way in that knows nothing of second factors.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to the request, of nobody where something is owed."""
        if SESSION_KEY in request.session and not is_settled(request.session):
            self._settle(request)
        return self.get_response(request)

    def _settle(self, request: HttpRequest) -> None:
        user = request.user
        if not isinstance(user, User):  # the session has ended with the password that it was for
            return
        if next_step(user) is Step.DONE:
            settle(request.session, passed=False)
            return
        request.session.flush()
        request.user = AnonymousUser()


class _Noting(ABC):
    """Notes something of a session once there is an answer: who has just signed in is seen too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer."""
        response = self.get_response(request)
        # Without a session there is nobody to look up: API tokens and feeds cost no query.
        if SESSION_KEY in request.session:
            self._note(request, now=timezone.now())  # noqa: TID251  an edge
        return response

    @abstractmethod
    def _note(self, request: HttpRequest, *, now: datetime) -> None:
        """Note it."""


class NoteSessionMiddleware(_Noting):
    """Notes from where and when a session was seen last, at most once in five minutes."""

    def _note(self, request: HttpRequest, *, now: datetime) -> None:
        session, moment = request.session, now.timestamp()
        address = str(request.META.get("REMOTE_ADDR", ""))[:_LONGEST_ADDRESS]
        held, _, when = session.get(SEEN, ("", "", 0.0))
        if held == address and abs(moment - when) < _SEEN_EVERY.total_seconds():
            return
        agent = str(request.META.get("HTTP_USER_AGENT", ""))[:_LONGEST_AGENT]
        session[SEEN] = [address, agent, moment]
        # Not later than now: a clock that ran ahead then would prolong it.
        session[BEGAN] = min(session.get(BEGAN, moment), moment)


class ProtectAdministratorsMiddleware(_Noting):
    """Keeps the addresses of signed-in administrators out of every block list.

    Not those of people who only look: what is blocked would change with who reads a report.
    The address is the one that the connection comes from: what a client writes into a header could
    protect anything. At most one write an hour for each session and address.
    """

    def _note(self, request: HttpRequest, *, now: datetime) -> None:
        address = str(request.META.get("REMOTE_ADDR", ""))
        held, when = request.session.get(_NOTED, ("", 0.0))
        if held == address and abs(now.timestamp() - when) < NOTED_EVERY.total_seconds():
            return
        user = request.user
        if not (isinstance(user, User) and user.is_staff):
            return
        try:
            if is_administrator(user):
                protect_administrator(user=user, address=address, now=now)
        except DatabaseError as error:  # the answer is there, and the next request tries again
            log.warning("the address of %s could not be protected: %s", user, error)
            return
        request.session[_NOTED] = [address, now.timestamp()]
