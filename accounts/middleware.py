"""Who is signed in from where."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.addresses import NOTED_EVERY, protect_administrator

_NOTED = "address_protected"  # in the session: [address, when]

log = logging.getLogger(__name__)


class ProtectAdministratorsMiddleware:
    """Keeps the addresses of signed-in administrators out of every block list.

    The address is the one that the connection comes from: what a client writes into a header could
    protect anything. At most one write an hour for each session and address.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer; who has just signed in is seen too."""
        response = self.get_response(request)
        # Without a session there is nobody to look up: API tokens and feeds cost no query.
        if SESSION_KEY in request.session:
            self._note(request, now=timezone.now())  # noqa: TID251  an edge
        return response

    def _note(self, request: HttpRequest, *, now: datetime) -> None:
        address = str(request.META.get("REMOTE_ADDR", ""))
        held, when = request.session.get(_NOTED, ("", 0.0))
        if held == address and abs(now.timestamp() - when) < NOTED_EVERY.total_seconds():
            return
        user = request.user
        if not (isinstance(user, User) and user.is_staff):
            return
        try:
            protect_administrator(user=user, address=address, now=now)
        except DatabaseError as error:  # the answer is there, and the next request tries again
            log.warning("the address of %s could not be protected: %s", user, error)
            return
        request.session[_NOTED] = [address, now.timestamp()]
