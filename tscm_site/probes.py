"""What monitoring asks: /metrics, /healthz and /readyz, answered before everything else.

Before the middleware of the console, for that looks at the name in the Host header, sends people to
HTTPS and begins sessions: a load balancer asks by address, in plain text, and is nobody.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from accounts.proxies import client_of
from policies.watchers import is_in, is_passed_on, is_watcher
from tscm_site.health import readiness
from tscm_site.metrics import exposition

_LONGEST_FORWARDED = 1000


class ProbesMiddleware:
    """Answers the three addresses of monitoring, where REMOTE_ADDR is still the peer's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to a probe; that of the site to anything else."""
        probe = PROBES.get(request.path_info)
        if probe is None:
            return self.get_response(request)
        allowed = request.method in {"GET", "HEAD"}
        answer = probe(request) if allowed else HttpResponseNotAllowed(["GET", "HEAD"])
        answer["Cache-Control"] = "no-store"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer


def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that this process answers; nothing else is looked at."""
    return HttpResponse(b"alive\n", content_type="text/plain; charset=us-ascii")


def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether the console can do its work; to monitoring also why not."""
    report = readiness()
    body = report.body(with_parts=_is_watcher(request))
    return HttpResponse(body, status=report.status, content_type="application/json")


def metrics(request: HttpRequest) -> HttpResponse:
    """Give the metrics to monitoring, in the format that it asks for."""
    if not _is_watcher(request):
        return HttpResponse(
            b"Metrics are for the addresses of TSCM_METRICS_FROM, and for who has the token of "
            b"TSCM_METRICS_TOKEN.\n",
            status=403,
            content_type="text/plain; charset=us-ascii",
        )
    content, kind = exposition(accept=str(request.META.get("HTTP_ACCEPT", "")))
    return HttpResponse(content, content_type=kind)


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}


def _is_watcher(request: HttpRequest) -> bool:
    return is_watcher(request.META, client=_client(request))


def _client(request: HttpRequest) -> str:
    """Return the address a request came from; "" where a stranger passed it on."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if not is_passed_on(request.META):
        return peer
    if not is_in(peer, settings.TSCM_TRUSTED_PROXIES):
        return ""
    return client_of(str(request.META.get("HTTP_X_FORWARDED_FOR", ""))[-_LONGEST_FORWARDED:])
