"""The feed server's application: these URLs, and no part of the console.

It runs on the console's settings with none of its middleware: no sessions, no cookies, no
redirects. Nothing here asks for the host either, so that a firewall may use any name or address
for this machine, while the console's ALLOWED_HOSTS stays as strict as it is.
"""

from __future__ import annotations

import os

import django
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tscm_site.settings")
django.setup(set_prefix=False)


class FeedHandler(WSGIHandler):
    """Django's handler on the URLs of the feeds, with nothing in between."""

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        """Load the URLs instead, so that what is wrong there shows at the start."""
        from feeds import urls, views

        self._answer = views.answer
        self._urls = urls

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer of a view."""
        return self._answer(request)


application = FeedHandler()
