"""What a browser may do with our answers, and what it may load for them."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# The style elements there are on our pages; tests say which digests belong here.
_STYLES = (
    "'sha256-I8okBNxPeElJ2k25oAXg8RsgBHBbjmqV5MArUdm0pnE='",  # Unfold's, of UNFOLD["COLORS"]
    "'sha256-bsV5JivYxvGywDAZ22EZJKBFip65Ng9xoJVLbBg7bdo='",  # Unfold's htmx adds it
)
# Unfold's Alpine makes functions of the expressions in its attributes ('unsafe-eval'; Alpine's
# build without does not know all that Unfold writes there), and its widgets place themselves by
# style attributes. Inline scripts, inline handlers and further style elements stay blocked, and no
# other host is asked for anything.
PAGES = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-eval'",
        "script-src-attr 'none'",
        "style-src 'self' 'unsafe-inline'",  # for browsers that do not know the next two
        f"style-src-elem 'self' {' '.join(_STYLES)}",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# Of the API, of files, and of all else that is no page: nothing in it is to be run or loaded.
FILES = "default-src 'none'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
_NOT_USED = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen",
    "geolocation", "gyroscope", "magnetometer", "microphone", "midi", "payment",
    "publickey-credentials-get", "screen-wake-lock", "usb", "xr-spatial-tracking",
)  # fmt: skip
PERMISSIONS = ", ".join((*(f"{name}=()" for name in _NOT_USED), "clipboard-write=(self)"))


class BrowserPolicyMiddleware:
    """Adds to every answer what a browser is to keep to, where it brings nothing of its own.

    Django's SecurityMiddleware adds the rest: types that are not guessed, the referrer, the opener.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer with its headers."""
        response = self.get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if response.status_code != 304:  # the headers of what the browser holds go on to hold
            policy = PAGES if is_page else FILES
            response.headers.setdefault("Content-Security-Policy", policy)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response
