"""A part of a page, fetched by itself."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import conditional_page, require_GET

from console.story.parts import PARTS
from policies.visible import visible


@require_GET
@conditional_page
def part_page(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """Return one part of the page of a row."""
    if name not in PARTS:
        raise Http404(f"There is no part {name!r}.")
    part = PARTS[name]
    if not part.is_for(request.user):
        raise PermissionDenied
    rows = visible(part.model._default_manager.all(), request.user)  # noqa: SLF001  Django's way
    row = get_object_or_404(rows, pk=pk)
    now = timezone.now()
    context = {"part": part, "row": row, "now": now, **part.context(row, request, now)}
    return render(request, part.template, context)
