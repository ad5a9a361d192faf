"""The catalogue of presets over the API, and adding one."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from policies.api.base import actor_of, refusals
from policies.api.fields import RowId
from policies.api.serializers import SourceSerializer
from policies.models import Policy, Source
from policies.presets import CATALOGUE
from policies.services.add_preset import add_preset, catalogue
from policies.states import Role
from policies.tasks import nudge


class PresetSerializer(serializers.Serializer[Any]):
    """A well-known public list, and whether the site has it."""

    key = serializers.CharField(source="preset.key")
    name = serializers.CharField(source="preset.name")
    url = serializers.CharField(source="preset.url")
    lists = serializers.CharField(source="preset.lists", help_text="What it lists.")
    licence = serializers.CharField(
        source="preset.licence", help_text="In our words; the publisher's page counts."
    )
    refresh_minutes = serializers.IntegerField(source="preset.refresh_minutes")
    entries = serializers.IntegerField(source="preset.entries", help_text="The order of its size.")
    serves = serializers.ChoiceField(source="preset.serves", choices=Role.choices)
    needs = serializers.ListField(
        source="preset.needs",
        child=serializers.CharField(),
        help_text="Settings that you bring, such as a key.",
    )
    may_be_empty = serializers.BooleanField(source="preset.may_be_empty")
    severity = serializers.IntegerField(
        source="preset.severity", help_text="Of traffic with what it lists, 1 to 5."
    )
    caution = serializers.CharField(source="preset.caution")
    source_id = serializers.IntegerField(
        source="source.pk", default=None, allow_null=True, help_text="The source it was added as."
    )


class AddPresetSerializer(serializers.Serializer[Any]):
    """What a preset needs, and the policy that takes it."""

    settings = serializers.DictField(default=dict, help_text="What the preset needs.")
    policy = RowId(queryset=Policy.objects.all(), required=False)
    role = serializers.ChoiceField(
        choices=Role.choices, required=False, help_text="As the catalogue means it where not given."
    )


class PresetViewSet(GenericViewSet[Source]):
    """Well-known public lists, ready to be added."""

    queryset = Source.objects.prefetch_related("policies")  # whose rights count
    serializer_class = PresetSerializer
    pagination_class = None
    lookup_url_kwarg = "key"
    lookup_value_regex = "[a-z0-9-]{1,64}"

    def list(self, request: Request) -> Response:  # noqa: ARG002
        """List the whole catalogue."""
        return Response(PresetSerializer(catalogue(), many=True).data)

    @extend_schema(
        request=AddPresetSerializer, responses={201: SourceSerializer}, operation_id="presets_add"
    )
    @action(detail=True, methods=["post"], url_path="add")
    def add(self, request: Request, key: str) -> Response:
        """Make the source of a preset; a policy takes it where one is named."""
        if key not in CATALOGUE:
            raise NotFound
        body = AddPresetSerializer(data=request.data, context={"request": request})
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        # Rights on sources are looked at already; a policy is another matter.
        if "policy" in wanted and not request.user.has_perm("policies.change_policy"):
            raise PermissionDenied
        if "role" in wanted:
            wanted["role"] = Role(wanted["role"])
        with refusals():
            source = add_preset(
                preset=CATALOGUE[key],
                **wanted,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        nudge()
        shown = SourceSerializer(
            self.get_queryset().get(pk=source.pk), context=self.get_serializer_context()
        )
        return Response(shown.data, status=status.HTTP_201_CREATED)
