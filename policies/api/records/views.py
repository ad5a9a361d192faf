"""The records of a list kept here: parse, one service, answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from policies import services
from policies.api.base import Reading, actor_of, refusals
from policies.api.bodies import CsvParser, CsvRenderer, LinesParser
from policies.api.parameters import parameters
from policies.api.records.serializers import (
    LINES_SHOWN,
    OPTIONS,
    BatchSerializer,
    NewRecordSerializer,
    RecordChangeSerializer,
    RecordFilter,
    RecordSerializer,
    WrittenSerializer,
)
from policies.downloads import CSV, LINES, as_file
from policies.models import ListRecord, Source
from policies.services.record_text import Drafts, read_bytes
from policies.services.user_lists import file_name
from policies.sources.user_list import KIND
from policies.tasks import nudge

_IN_LIST = OpenApiParameter(
    "source_id", OpenApiTypes.INT64, OpenApiParameter.PATH, description="A source of kind user."
)


@extend_schema_view(
    **{
        name: extend_schema(parameters=[_IN_LIST])
        for name in (
            "list", "retrieve", "create", "partial_update", "destroy", "batch", "import_list",
            "export_list",
        )
    }
)  # fmt: skip
class RecordViewSet(Reading[ListRecord]):
    """The records of one list kept here."""

    queryset = ListRecord.objects.select_related("source")
    serializer_class = RecordSerializer
    filterset_class = RecordFilter
    search_fields = ("text", "note")
    ordering_fields = ("id", "added_at", "expires_at", "added_by")
    ordering = ("family", "first", "last")

    def get_queryset(self) -> QuerySet[ListRecord]:
        """Return the records of the list that the address names."""
        return super().get_queryset().filter(source=self.kwargs["source_id"], source__kind=KIND)

    def get_serializer_class(self) -> Any:
        """Return the serializer; the entry of a record that is there stays."""
        return RecordChangeSerializer if self.action == "partial_update" else RecordSerializer

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List records by address, a page at a time."""
        self._source()
        return super().list(request, *args, **kwargs)

    @extend_schema(request=NewRecordSerializer, responses={201: RecordSerializer})
    def create(self, request: Request, source_id: str) -> Response:  # noqa: ARG002
        """Add a record."""
        source = self._source()
        sent = NewRecordSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        try:
            record = services.add_record(
                source=source,
                **sent.validated_data,
                actor=actor_of(request),
                now=timezone.now(),
            )
        except services.Refused as error:
            raise ValidationError({"entry": [str(error)]}, "refused") from error
        nudge()
        return self.shown(record, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, source_id: str, pk: str) -> Response:  # noqa: ARG002
        """Change a record's note or when it expires."""
        record = self.get_object()
        sent = self.checked(record).validated_data
        with refusals():
            services.change_record(
                record=record, changes=sent, actor=actor_of(request), now=timezone.now()
            )
        nudge()
        return self.shown(record)

    def destroy(self, request: Request, source_id: str, pk: str) -> Response:  # noqa: ARG002
        """Remove a record."""
        record = self.get_object()
        services.remove_records(
            source=record.source,
            records=ListRecord.objects.filter(pk=record.pk),
            actor=actor_of(request),
            now=timezone.now(),
        )
        nudge()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=BatchSerializer, responses={200: WrittenSerializer})
    @action(detail=False, methods=["post"])
    def batch(self, request: Request, source_id: str) -> Response:  # noqa: ARG002
        """Add many records, or make the list exactly these: all or none."""
        source = self._source()
        sent = BatchSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        options = {name: sent.validated_data[name] for name in OPTIONS}
        with _line_refusals("records"):
            return self._write(source, sent.drafts(), **options)

    @extend_schema(
        request={LINES: OpenApiTypes.STR, CSV: OpenApiTypes.STR},
        responses={200: WrittenSerializer},
        parameters=[
            OpenApiParameter(name, bool, default=False, description=text)
            for name, text in OPTIONS.items()
        ],
        operation_id="sources_records_import",
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        parser_classes=[LinesParser, CsvParser],
        filter_backends=[],
        pagination_class=None,
    )
    def import_list(self, request: Request, source_id: str) -> Response:  # noqa: ARG002
        """Add the records of a text: one entry a line with `# note` behind it, or CSV.

        CSV has the columns entry, note and expires, in this order or as its first line names them.
        """
        source, options = self._source(), _options(request)
        body: Any = request.data or b""  # the framework takes an empty one for a form
        is_csv = str(request.content_type).partition(";")[0].strip().lower() == CSV
        with _line_refusals("text"):
            drafts = read_bytes(body, is_csv=is_csv)
            return self._write(source, drafts, **options)

    @extend_schema(responses={(200, CSV): OpenApiTypes.STR}, operation_id="sources_records_export")
    @action(
        detail=False,
        url_path="export",
        renderer_classes=[CsvRenderer],
        filter_backends=[],
        pagination_class=None,
    )
    def export_list(self, request: Request, source_id: str) -> StreamingHttpResponse:  # noqa: ARG002
        """Return every record in force as CSV, which `import` reads back as the same."""
        source, now = self._source(), timezone.now()
        lines = services.export_csv(source=source, now=now)
        services.record_export(
            actor=actor_of(request), subject=f"source {source.name}", form="csv", now=now
        )
        return as_file(lines, name=file_name(source), media_type=CSV)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Let errors be JSON, whatever else was asked for."""
        if getattr(response, "exception", False):
            renderer = JSONRenderer()
            request.accepted_renderer = renderer
            request.accepted_media_type = renderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)

    def _source(self) -> Source:
        return get_object_or_404(Source, pk=self.kwargs["source_id"], kind=KIND)

    def _write(
        self, source: Source, drafts: Drafts, *, skip_bad: bool = False, replace: bool = False
    ) -> Response:
        if replace and not self.request.user.has_perm("policies.delete_listrecord"):
            raise PermissionDenied
        write = services.replace_records if replace else services.add_records
        written = write(
            source=source,
            drafts=drafts,
            skip_bad=skip_bad,
            actor=actor_of(self.request),
            now=timezone.now(),
        )
        nudge()
        return Response(_report(written))


@contextmanager
def _line_refusals(field: str) -> Iterator[None]:
    """Turn a refusal into one error of `field` for each line."""
    try:
        yield
    except services.LinesRefused as error:
        lines = [str(bad) for bad in error.bad[:LINES_SHOWN]]
        raise ValidationError({field: lines}, "refused") from error
    except services.Refused as error:
        raise ValidationError({field: [str(error)]}, "refused") from error


def _options(request: Request) -> dict[str, bool]:
    """Return what the parameters say; raises ValidationError for one that is not understood."""
    sent = parameters(request, *OPTIONS)
    for name, text in sent.items():
        if text not in {"true", "false"}:
            raise ValidationError({name: ["Use true or false."]})
    return {name: sent.get(name) == "true" for name in OPTIONS}


def _report(written: services.Written) -> dict[str, Any]:
    lines = [asdict(bad) for bad in written.bad[:LINES_SHOWN]]
    return {
        "added": written.added,
        "changed": written.changed,
        "removed": written.removed,
        "left_out": len(written.bad),
        "left_out_lines": lines,
    }
