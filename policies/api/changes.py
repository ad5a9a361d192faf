"""The endpoints of the record: who changed what, when and from where."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from policies.api.base import Reading, actor_of
from policies.api.fields import RowSerializer
from policies.api.parameters import parameters
from policies.downloads import CSV, JSON_LINES, as_file
from policies.models import Change
from policies.reports.changes import (
    FORMS,
    VERIFIED_AT_ONCE,
    Verified,
    lines_of,
    verify_changes,
)
from policies.services import record_export


class ChangeFilter(filters.FilterSet):
    """Changes by who, what, when and from where."""

    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Change
        fields = ["actor", "verb", "subject", "channel", "origin"]


class ChangeSerializer(RowSerializer[Change]):
    """Who changed what, when and from where."""

    detail = serializers.DictField(
        read_only=True, help_text="{setting: [before, after], …}; secrets are masked."
    )

    class Meta:
        model = Change
        fields = ["id", "at", "actor", "channel", "origin", "verb", "subject", "detail", "digest"]


class VerifiedSerializer(serializers.Serializer[Verified]):
    """Whether the record is whole."""

    is_whole = serializers.BooleanField(read_only=True)
    rows = serializers.IntegerField(read_only=True, help_text="How many hang together.")
    last_id = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="The last of these."
    )
    last_digest = serializers.CharField(read_only=True, help_text="Empty where there is none.")
    broken = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="The first that does not follow; null for none."
    )
    reason = serializers.CharField(read_only=True)
    is_partial = serializers.BooleanField(
        read_only=True, help_text="Only the newest were looked at; tsadmin looks at all."
    )


class ChangeViewSet(Reading[Change]):
    """Who changed what, when. Rows are only added, each covers the one before."""

    queryset: QuerySet[Change] = Change.objects.all()
    serializer_class = ChangeSerializer
    filterset_class = ChangeFilter
    search_fields = ("actor", "subject", "origin")
    ordering_fields = ("id", "at")
    ordering = ("-at",)

    @extend_schema(
        operation_id="changes_export",
        parameters=[
            OpenApiParameter(
                "form", OpenApiTypes.STR, enum=list(FORMS), description="jsonl without."
            )
        ],
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    @action(detail=False, methods=["get"], pagination_class=None)
    def export(self, request: Request) -> StreamingHttpResponse:
        """Give the changes as CSV or as JSON lines, the oldest first."""
        self.check_parameters(request, "form")
        form = request.query_params.get("form", "jsonl")
        if form not in FORMS:
            raise ValidationError({"form": [f"Use {' or '.join(FORMS)}."]})
        rows = self.filter_queryset(self.get_queryset())
        record_export(
            actor=actor_of(request),
            subject="changes",
            form=form,
            now=timezone.now(),  # noqa: TID251  an edge
        )
        media_type = CSV if form == "csv" else JSON_LINES
        return as_file(lines_of(rows, form=form), name=f"changes.{form}", media_type=media_type)

    @extend_schema(operation_id="changes_verify", filters=False, responses=VerifiedSerializer)
    @action(detail=False, methods=["get"], pagination_class=None, filter_backends=[])
    def verify(self, request: Request) -> Response:
        """Hold every row to the one before it."""
        parameters(request)
        told: Any = VerifiedSerializer(verify_changes(newest=VERIFIED_AT_ONCE)).data
        return Response(told)
