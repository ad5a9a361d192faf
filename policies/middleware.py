"""Through which door a request came in, for the record of what it changes."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from policies.origin import Origin, acting_from

_API = "/api/"


class OriginMiddleware:
    """Tells the record of changes where each request comes from.

    The address is the one of the connection: what a client writes into a header could name anybody.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer."""
        channel = "API" if request.path.startswith(_API) else "console"
        address = str(request.META.get("REMOTE_ADDR", ""))
        with acting_from(Origin(channel, address)):
            return self.get_response(request)
