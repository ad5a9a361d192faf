"""What the console's own pages share: who may see one, a number of its address, its frame."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse

_MOST_DIGITS = 9


def require(request: HttpRequest, *permissions: str) -> None:
    """Let only those go on who have all of these; raises PermissionDenied."""
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def number_in(request: HttpRequest, name: str) -> int:
    """Return a number of the query; 0 where it is none."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


def framed(
    request: HttpRequest, template: str, title: str, context: Mapping[str, object]
) -> TemplateResponse:
    """Return a page within the frame of the admin."""
    shared = {**admin.site.each_context(request), "title": title}
    return TemplateResponse(request, template, {**shared, **context})
