"""Reports of connections: totals over time, summaries, connections, one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from devices.reports.visible import device_ids
from logs.api.hits_shapes import (
    FILTERS,
    PAGE_SIZE,
    PAGE_SIZE_MOST,
    ROWS,
    ROWS_MOST,
    SKIP_MOST,
    ConnectionsSerializer,
    LineSerializer,
    SummarySerializer,
    TimelineSerializer,
)
from logs.api.permissions import MaySeeHits
from logs.events.filters import By, Filter
from logs.reports.asked import PARAMETERS, SEVERAL, Asked, AskedRefused, read_asked
from logs.reports.event_files import one_report
from logs.reports.files import connections_csv, connections_json
from logs.reports.hits import ReportRefused, connections, line_of, timeline, totals
from logs.reports.report import device_names, summary_of
from logs.reports.steps import step_of
from logs.reports.tables import SUMMARY_HEADINGS, csv_lines, summary_rows
from policies.api.base import NON_FIELD
from policies.api.bodies import CsvRenderer
from policies.downloads import CSV, as_file

JSON_LINES = "application/jsonl"


def _as(*words: str) -> OpenApiParameter:
    return OpenApiParameter("as", OpenApiTypes.STR, enum=["json", *words], description="A file.")


def _number(name: str, *, most: int, default: int) -> OpenApiParameter:
    shape = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return OpenApiParameter(name, shape)


class _Hits(APIView):
    permission_classes = (MaySeeHits,)
    http_method_names = ["get", "head"]


class TimelineView(_Hits):
    """Connections over time."""

    @extend_schema(operation_id="hits_timeline", parameters=FILTERS, responses=TimelineSerializer)
    def get(self, request: Request) -> Response:
        """Count connections over time, in steps that suit the span, and in all."""
        asked = _asked(request)
        wanted = asked.filter
        step = step_of(wanted.until - wanted.since)
        with answered(), one_report():
            told = {
                "step_seconds": int(step.total_seconds()),
                "totals": totals(wanted),
                "buckets": timeline(wanted, step=step),
            }
        return Response(TimelineSerializer(_with_span(wanted, told)).data)


class SummaryView(_Hits):
    """Connections summed up."""

    renderer_classes = (JSONRenderer, CsvRenderer)

    @extend_schema(
        operation_id="hits_summary",
        parameters=[
            *FILTERS,
            OpenApiParameter("by", OpenApiTypes.STR, enum=list(By), description="list without it."),
            _number("rows", most=ROWS_MOST, default=ROWS),
            _as("csv"),
        ],
        responses={
            (200, "application/json"): SummarySerializer,
            (200, CSV): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        """Sum connections up by one of their properties, the largest rows first."""
        asked, by = _asked(request, "by", "rows", "as"), _by(request)
        wants_csv = _form(request, "csv") == "csv"
        most = _whole(request, "rows", most=ROWS_MOST, default=ROWS_MOST if wants_csv else ROWS)
        with answered():
            found = summary_of(asked.filter, by, most=most)
        if wants_csv:
            lines = csv_lines(SUMMARY_HEADINGS, summary_rows(found))
            return as_file(lines, name=f"tscm-{by}.csv", media_type=CSV)
        told = {
            "by": by,
            "rows": found.rows,
            "total_rows": found.total_rows,
            "total_connections": found.total_connections,
            "is_estimate": found.is_estimate,
        }
        return Response(SummarySerializer(_with_span(asked.filter, told)).data)


class ConnectionsView(_Hits):
    """Connections, one by one."""

    renderer_classes = (JSONRenderer, CsvRenderer)

    @extend_schema(
        operation_id="hits_connections",
        parameters=[
            *FILTERS,
            _number("page", most=SKIP_MOST, default=1),
            _number("page_size", most=PAGE_SIZE_MOST, default=PAGE_SIZE),
            _as("csv", "jsonl"),
        ],
        responses={
            (200, "application/json"): ConnectionsSerializer,
            (200, CSV): OpenApiTypes.STR,
            (200, JSON_LINES): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> Response | StreamingHttpResponse:
        """List connections, the newest first.

        As a file (CSV, or JSON with one connection a line) it is up to 100,000 of them; the last
        line says so where there are more. Pages end there, too.
        """
        asked, form = _asked(request, "page", "page_size", "as"), _form(request, "csv", "jsonl")
        if form != "json":
            return _file(asked.filter, form)
        page = _whole(request, "page", most=SKIP_MOST, default=1)
        size = _whole(request, "page_size", most=PAGE_SIZE_MOST, default=PAGE_SIZE)
        skip = (page - 1) * size
        if skip > SKIP_MOST:
            raise NotFound("Pages do not go so far: narrow the question, or take the file.")
        with answered():
            found = connections(asked.filter, most=size, skip=skip)
        if skip and skip >= found.total:
            raise NotFound("There is no such page.")
        url, has_more = request.build_absolute_uri(), skip + size < min(found.total, SKIP_MOST)
        told = {
            "count": found.total,
            "next": replace_query_param(url, "page", page + 1) if has_more else None,
            "previous": replace_query_param(url, "page", page - 1) if page > 1 else None,
            "results": found.rows,
        }
        names = device_names(one.device_id for one in found.rows)
        body = ConnectionsSerializer(_with_span(asked.filter, told), context={"devices": names})
        return Response(body.data)


class LineView(_Hits):
    """One line as it came."""

    @extend_schema(
        operation_id="hits_line",
        parameters=[
            OpenApiParameter(
                "ref", {"type": "string", "pattern": "^[0-9]+-[0-9]+-[0-9]+$"},
                OpenApiParameter.PATH, description="As a connection names its line.",
            )
        ],
        responses=LineSerializer,
    )  # fmt: skip
    def get(self, request: Request, ref: str) -> Response:
        """Show the line behind a connection, as long as it is kept."""
        with answered():
            told = line_of(ref, devices=device_ids(request.user))
        if told.connection is None:
            raise NotFound(told.why_not)
        names = device_names((told.connection.device_id,))
        return Response(LineSerializer(told, context={"devices": names}).data)


def _asked(request: Request, *beside: str) -> Asked:
    """Return the question; raises ValidationError for all of it that is not understood."""
    given = dict(request.query_params.lists())
    known = (*PARAMETERS, *beside)
    for name, values in given.items():
        if name not in known:
            message = f"This is not known here. Known are {', '.join(sorted(known))}."
            raise ValidationError({name[:200]: [message]})
        if not all(values):
            raise ValidationError({name: ["Give a value, or leave it out."]})
        if len(values) > 1 and name not in SEVERAL:
            raise ValidationError({name: ["Give this once."]})
    now = timezone.now()  # noqa: TID251  an edge
    try:
        return read_asked(given, now=now, sees=device_ids(request.user))
    except AskedRefused as refused:
        troubles = {name: [said] for name, said in refused.troubles.items()}
        raise ValidationError(troubles) from refused


@contextmanager
def answered() -> Iterator[None]:
    """Turn a question that cannot be answered into a 400."""
    try:
        yield
    except ReportRefused as refused:
        raise ValidationError({NON_FIELD: [str(refused)]}, "refused") from refused


def _by(request: Request) -> By:
    word = request.query_params.get("by", By.LIST)
    if word not in set(By):
        raise ValidationError({"by": [f"Use one of {', '.join(By)}."]})
    return By(word)


def _form(request: Request, *words: str) -> str:
    """Return json, or the form of a file that is asked for by `as`, else by Accept."""
    form = request.query_params.get("as", request.accepted_renderer.format)
    if form not in {"json", *words}:
        raise ValidationError({"as": [f"Use {', '.join(('json', *words))}."]})
    return str(form)


def _whole(request: Request, name: str, *, most: int, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise ValidationError({name: [f"Use a whole number from 1 to {most}."]})
    return int(text)


def _with_span(wanted: Filter, told: dict[str, Any]) -> dict[str, Any]:
    return {"since": wanted.since, "until": wanted.until, **told}


def _file(wanted: Filter, form: str) -> StreamingHttpResponse:
    with answered():
        lines = connections_csv(wanted) if form == "csv" else connections_json(wanted)
    media_type = CSV if form == "csv" else JSON_LINES
    return as_file(lines, name=f"tscm-connections.{form}", media_type=media_type)
