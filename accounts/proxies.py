"""Whom a request is from, where a proxy stands before the console."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_LONGEST = 1000  # characters of a header that are worth a look


class TrustedProxyMiddleware:
    """Puts the client's address, and the scheme it came by, in the place of a trusted proxy's.

    Only what a proxy of TSCM_TRUSTED_PROXIES says counts: its own addition to X-Forwarded-For is
    the last entry, and what stands before it anybody may have written. Comes first, so that all
    others see the same address.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to the request as the client made it."""
        if _is_trusted(str(request.META.get("REMOTE_ADDR", ""))):
            client = client_of(str(request.META.get("HTTP_X_FORWARDED_FOR", ""))[-_LONGEST:])
            if client:
                request.META["REMOTE_ADDR"] = client
            if request.META.get("HTTP_X_FORWARDED_PROTO") == "https":
                request.META["wsgi.url_scheme"] = "https"
        return self.get_response(request)


def client_of(forwarded: str) -> str:
    """Return the last address in X-Forwarded-For that is no trusted proxy; "" where none is."""
    for part in reversed(forwarded.split(",")):
        text = part.strip()
        try:
            address = str(ipaddress.ip_address(text))
        except ValueError:
            return ""  # what stands before it was not written by a proxy of ours
        if not _is_trusted(address):
            return address
    return ""


def _is_trusted(text: str) -> bool:
    if not settings.TSCM_TRUSTED_PROXIES:
        return False
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in settings.TSCM_TRUSTED_PROXIES)
