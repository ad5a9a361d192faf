"""The page of a whole fleet, and the fleet as a file."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_GET

from console.pages import framed, require
from fleet.models import Entry, PortalState, Rollout
from fleet.reports.board import fleet_board
from fleet.reports.exports import FORMS, fleet_lines
from fleet.reports.place import portal_place
from policies.admin.base import actor_of
from policies.downloads import CSV, as_file
from policies.services import record_export
from policies.visible import visible

MAY_SEE = "fleet.view_entry"
_TYPES = {"csv": CSV, "json": "application/json"}


@require_GET
def fleet_page(request: HttpRequest) -> HttpResponse:
    """Show how a fleet does: health, versions, snapshots in force, trouble."""
    require(request, MAY_SEE)
    now = timezone.now()  # noqa: TID251  an edge
    context = {
        "board": fleet_board(
            visible(Entry.objects.all(), request.user),
            visible(Rollout.objects.all(), request.user),
            now=now,
        ),
        "state": PortalState.objects.first(),
        "is_portal": portal_place() is not None,
        "may_add": request.user.has_perm("fleet.add_entry"),
        "forms": FORMS,
        "now": now,
    }
    return framed(request, "console/fleet.html", "Fleet", context)


@require_GET
def fleet_file(request: HttpRequest, form: str) -> HttpResponseBase:
    """Give every device entry that the person sees, as a file; recorded."""
    require(request, MAY_SEE)
    if form not in FORMS:
        raise Http404(f"A fleet is given as {' or '.join(FORMS)}.")
    now = timezone.now()  # noqa: TID251  an edge
    record_export(actor=actor_of(request), subject="device entries", form=form, now=now)
    entries = visible(Entry.objects.all(), request.user)
    lines = fleet_lines(entries, form=form, now=now)
    return as_file(lines, name=f"fleet.{form}", media_type=_TYPES[form])
