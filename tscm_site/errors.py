"""Errors: JSON in one shape under /api/, pages elsewhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

API = "/api/"


def error_response(*, status: int, code: str, detail: str) -> JsonResponse:
    """Return an error in the shape that every error of the API has."""
    kind = "server_error" if status >= 500 else "client_error"
    errors = [{"code": code, "detail": detail, "attr": None}]
    return JsonResponse({"type": kind, "errors": errors}, status=status)


@csrf_exempt
def api_not_found(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Answer for every address under /api/ that nothing else answers for."""
    return error_response(
        status=404,
        code="not_found",
        detail="Nothing is here. Addresses end in a slash; /api/v1/docs/ lists them.",
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a request that Django itself refuses, such as one for an unknown host."""
    if request.path.startswith(API):
        return error_response(status=400, code="bad_request", detail="The request is not sound.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a request that is not allowed."""
    if request.path.startswith(API):
        return error_response(status=403, code="permission_denied", detail="You may not do this.")
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a request for what is not there."""
    if request.path.startswith(API):
        return api_not_found(request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer after a fault of ours; the log has the rest."""
    if request.path.startswith(API):
        return error_response(status=500, code="error", detail="Server Error (500)")
    return defaults.server_error(request)
