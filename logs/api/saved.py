"""Saved reports in the API: kept, changed, removed, sent."""

from __future__ import annotations

import re
from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from logs.models import SavedReport
from logs.models.saved import LONGEST_QUERY, MOST_RECIPIENTS
from logs.reports.saved import is_his, saved_reports
from logs.services.saved import change_saved, remove_saved, save_report, send_saved
from logs.states import Every
from logs.tasks import nudge_reports
from policies.api.base import Reading, actor_of, refusals
from policies.api.fields import RowSerializer, Text, Whole
from policies.api.permissions import MayChange

_TIME = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9]$")


@extend_schema_field({"type": "string", "pattern": _TIME.pattern})
class TimeOfDay(serializers.TimeField):
    """A time of day in a JSON string, such as 07:00."""

    def __init__(self, **options: Any) -> None:
        super().__init__(format="%H:%M", input_formats=["%H:%M"], **options)

    def to_internal_value(self, value: Any) -> Any:
        """Return the time; raises ValidationError."""
        if not isinstance(value, str) or not _TIME.fullmatch(value):
            self.fail("invalid", format="hh:mm")
        return super().to_internal_value(value)


class SavedReportSerializer(RowSerializer[SavedReport]):
    """A question with a name, and when it is mailed to whom."""

    query = Text(
        max_length=LONGEST_QUERY, required=False, allow_blank=True,
        help_text="As in the address of the page: last=7d&list=botnets.",
    )  # fmt: skip
    every = serializers.ChoiceField(choices=Every.choices, required=False)
    at = TimeOfDay(required=False)
    weekday = Whole(min_value=0, max_value=6, required=False, help_text="0 is Monday.")
    day = Whole(min_value=1, max_value=31, required=False, help_text="Of the month.")
    recipients = serializers.ListField(
        child=Text(max_length=254),
        max_length=MOST_RECIPIENTS,
        required=False,
        help_text="Empty, as error is, for all but its owner.",
    )
    owner = serializers.CharField(source="owner.username", read_only=True)

    class Meta:
        model = SavedReport
        fields = [
            "id", "name", "owner", "query", "is_shared", "every", "at", "zone", "weekday", "day",
            "recipients", "next_at", "mailed_at", "attempts", "error",
        ]  # fmt: skip
        read_only_fields = ("next_at", "mailed_at", "attempts", "error")

    def to_representation(self, instance: SavedReport) -> Any:
        """Return the row; who gets it and what failed is for its owner."""
        told = super().to_representation(instance)
        if not is_his(instance, self.context["request"].user):
            told |= {"recipients": [], "error": ""}
        return told


class SavedReportViewSet(Reading[SavedReport]):
    """The reports that the person saved, and those that others share."""

    queryset = SavedReport.objects.select_related("owner")
    serializer_class = SavedReportSerializer
    search_fields = ("name", "owner__username")
    ordering_fields = ("id", "name", "next_at")
    ordering = ("name",)

    def get_queryset(self) -> QuerySet[SavedReport]:
        """Return what the person may open."""
        return super().get_queryset().filter(pk__in=saved_reports(self.request.user))

    def create(self, request: Request) -> Response:
        """Save a report."""
        sent = self.checked().validated_data
        with refusals():
            row = save_report(
                values=sent,
                owner=cast(User, request.user),
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        return self.shown(row, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change a report of one's own."""
        row = self._own()
        sent = self.checked(row).validated_data
        with refusals():
            change_saved(
                row=row,
                changes=sent,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        return self.shown(row)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Remove a report of one's own."""
        row = self._own()
        remove_saved(row=row, actor=actor_of(request), now=timezone.now())  # noqa: TID251  an edge
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=None,
        responses={202: SavedReportSerializer},
        operation_id="saved_reports_send",
    )
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def send(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Mail a report of one's own now, whatever its schedule says; a worker does."""
        row = self._own()
        with refusals():
            send_saved(row=row, actor=actor_of(request), now=timezone.now())  # noqa: TID251  an edge
        nudge_reports()
        return self.shown(row, status=status.HTTP_202_ACCEPTED)

    def _own(self) -> Any:
        row = self.get_object()
        if not is_his(row, self.request.user):
            raise PermissionDenied(f"{row} is a report of {row.owner}: only they change it.")
        return row
