"""What sources and allow entries did to real connections, in the API."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from devices.reports.visible import device_ids
from logs.api.hits import answered
from logs.api.hits_shapes import SummaryRowSerializer
from logs.api.permissions import MaySeeHits
from logs.reports.impact import NETWORKS_MOST, entry_impacts, source_impact
from policies.api.parameters import parameters
from policies.api.permissions import ModelPermissions
from policies.models import Snapshot, Source
from policies.reports.effects import NotKept, effects_of, page_of
from policies.store import map_set
from policies.visible import visible


class SourceImpactSerializer(serializers.Serializer[Any]):
    """The connections of 30 days that were dropped because of a source."""

    connections = serializers.IntegerField(read_only=True)
    connections_only = serializers.IntegerField(
        read_only=True, help_text="Whose outside address no other list holds today."
    )
    addresses = serializers.IntegerField(read_only=True)
    addresses_only = serializers.IntegerField(read_only=True)
    largest_only = SummaryRowSerializer(many=True, read_only=True)
    left_out = serializers.IntegerField(
        read_only=True, help_text="Addresses with fewer connections that were not looked at."
    )


class EntryImpactSerializer(serializers.Serializer[Any]):
    """What one allow entry let through in 30 days that a block list names."""

    source = serializers.IntegerField(read_only=True)  # type: ignore[assignment]
    list = serializers.CharField(read_only=True)
    entry = serializers.CharField(read_only=True)
    connections = serializers.IntegerField(read_only=True)
    addresses = serializers.IntegerField(read_only=True)


class EntryImpactsSerializer(serializers.Serializer[Any]):
    """What the allow entries of a snapshot let through."""

    entries = EntryImpactSerializer(many=True, read_only=True)
    left_out = serializers.IntegerField(read_only=True, help_text="Addresses not looked at.")


class _Impact(APIView):
    permission_classes = (MaySeeHits, ModelPermissions)
    http_method_names = ["get", "head"]


class SourceImpactView(_Impact):
    """What would no longer be dropped without a source."""

    queryset = Source.objects.all()

    @extend_schema(
        operation_id="hits_source_impact",
        parameters=[
            OpenApiParameter(
                "among", OpenApiTypes.STR, enum=["policies", "site"],
                description="Beside the other lists of its policies, or all lists of the site; "
                "policies without it.",
            )
        ],
        responses=SourceImpactSerializer,
    )  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        """Tell how much of 30 days was dropped because of this source alone."""
        among = parameters(request, "among").get("among", "policies")
        if among not in {"policies", "site"}:
            raise ValidationError({"among": ["Use policies or site."]})
        source = get_object_or_404(visible(self.queryset, request.user), pk=pk)
        now, devices = timezone.now(), device_ids(request.user)  # noqa: TID251  an edge
        with answered():
            found = source_impact(
                source,
                among="site" if among == "site" else "policies",
                devices=devices,
                now=now,
            )
        return Response(SourceImpactSerializer(found).data)


class AllowImpactView(_Impact):
    """What the allow entries of a snapshot let through."""

    queryset = Snapshot.objects.select_related("policy")

    @extend_schema(operation_id="hits_allow_impact", responses=EntryImpactsSerializer)
    def get(self, request: Request, pk: int) -> Response:
        """Tell what each allow entry that cuts something let through in 30 days.

        Of the first entries, as many as come to 200 prefixes.
        """
        parameters(request)
        snapshot = get_object_or_404(visible(self.queryset, request.user), pk=pk)
        now, devices = timezone.now(), device_ids(request.user)  # noqa: TID251  an edge
        try:
            rows, _ = page_of(effects_of(snapshot), 0, NETWORKS_MOST)
            cutting = [row for row in rows if row.effect.blocks]
            with answered():
                found = entry_impacts(
                    snapshot.policy,
                    [row.span for row in cutting],
                    before=map_set(snapshot.before_digest),
                    devices=devices,
                    now=now,
                )
        except NotKept as error:
            raise NotFound(str(error), code="not_kept") from error
        except OSError as error:
            raise NotFound(f"A list cannot be read: {error}", code="not_readable") from error
        entries = [
            {
                "source": row.source,
                "list": row.name,
                "entry": str(row.span),
                "connections": found.entries[row.span].connections,
                "addresses": found.entries[row.span].addresses,
            }
            for row in cutting
            if row.span in found.entries
        ]
        body = {"entries": entries, "left_out": found.left_out}
        return Response(EntryImpactsSerializer(body).data)
