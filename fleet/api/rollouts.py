"""The endpoint of rollouts: laid down, started, stopped, tried again, taken back."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from devices.models import DeviceGroup
from fleet.api.base import fleet_refusals
from fleet.api.filters import RolloutFilter
from fleet.api.serializers import SettingsField
from fleet.models import Rollout, RolloutState
from fleet.reports.trial import Stand, Standing, standings_of
from fleet.services import rollouts
from fleet.tasks import nudge
from policies.api.base import Reading, actor_of
from policies.api.fields import RowId, RowSerializer, Whole
from policies.api.parameters import parameters
from policies.api.permissions import MayChange
from policies.models import Policy
from policies.visible import visible

MOST_GROUPS = 1_000


class GroupIds(serializers.ListField):
    """The ids of groups of devices that the person sees, JSON numbers."""

    child = Whole(min_value=1, max_value=2**63 - 1)

    def to_internal_value(self, data: Any) -> list[DeviceGroup]:
        """Return the groups; raises ValidationError for one that there is not."""
        wanted = set(super().to_internal_value(data))
        groups = visible(DeviceGroup.objects.all(), self.context["request"].user)
        found = list(groups.filter(pk__in=wanted))
        if missing := sorted(wanted - {group.pk for group in found}):
            raise ValidationError(f"There is no group {missing[0]}.", "does_not_exist")
        return found

    def to_representation(self, data: Any) -> list[int]:
        """Return their ids; `data` is the manager of a relation, better prefetched."""
        return sorted(group.pk for group in data.all())


class RolloutSerializer(RowSerializer[Rollout]):
    """One change to what groups inherit: for a first group, and then for others."""

    settings = SettingsField()
    policy = RowId(queryset=Policy.objects.all(), required=False, allow_null=True)
    canary = RowId(queryset=DeviceGroup.objects.all(), help_text="The first group.")
    onward = GroupIds(
        max_length=MOST_GROUPS, allow_empty=False, help_text="The groups it goes to then."
    )
    state = serializers.ChoiceField(choices=RolloutState.choices, read_only=True)
    label = serializers.CharField(source="state_word.label", read_only=True)  # type: ignore[assignment]
    tone = serializers.CharField(source="state_word.tone", read_only=True)

    class Meta:
        model = Rollout
        fields = [
            "id", "name", "settings", "policy", "canary", "onward", "minutes", "state", "label",
            "tone", "detail", "created_at", "created_by", "begun_at", "healthy_since", "ended_at",
        ]  # fmt: skip
        read_only_fields = [
            "detail", "created_at", "created_by", "begun_at", "healthy_since", "ended_at",
        ]  # fmt: skip


class StandingSerializer(serializers.Serializer[Standing]):
    """How one device of the first group does since the change."""

    entry = serializers.IntegerField(source="entry.pk", read_only=True)
    nickname = serializers.CharField(source="entry.nickname", read_only=True)
    state = serializers.ChoiceField(source="said.state", choices=Stand.choices, read_only=True)
    label = serializers.CharField(source="said.label", read_only=True)  # type: ignore[assignment]
    tone = serializers.CharField(source="said.tone", read_only=True)
    detail = serializers.CharField(source="said.detail", read_only=True)


class _Move(Protocol):
    def __call__(self, *, rollout: Rollout, actor: str, now: datetime) -> Rollout: ...


class RolloutViewSet(Reading[Rollout]):
    """Changes that go to one group first, and onward while its devices stay healthy."""

    queryset = Rollout.objects.select_related("canary", "policy").prefetch_related("onward")
    serializer_class = RolloutSerializer
    filterset_class = RolloutFilter
    http_method_names = ["get", "head", "post", "delete"]
    search_fields = ("name", "detail")
    ordering_fields = ("id", "name", "created_at", "begun_at")
    ordering = ("-created_at",)

    def create(self, request: Request) -> Response:
        """Lay down a rollout; nothing is changed before it is started."""
        sent = dict(self.checked().validated_data)
        intended = rollouts.Intended(**{"minutes": 60, **sent, "onward": tuple(sent["onward"])})
        with fleet_refusals():
            made = rollouts.add_rollout(
                intended=intended, actor=actor_of(request), now=timezone.now()
            )
        return self.shown(made, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Remove a rollout; what it changed stays. 409: it is on trial."""
        with fleet_refusals():
            rollouts.remove_rollout(
                rollout=self.get_object(), actor=actor_of(request), now=timezone.now()
            )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        responses=StandingSerializer(many=True), operation_id="rollouts_standings", filters=False
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def standings(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Tell how each device of the first group does since the change."""
        parameters(request)
        told = standings_of(self.get_object(), now=timezone.now())
        return Response([StandingSerializer(one).data for one in told])

    @extend_schema(request=None, responses=RolloutSerializer, operation_id="rollouts_start")
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def start(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change the first group, and watch it. 409: it has just moved."""
        return self._move(request, rollouts.start_rollout)

    @extend_schema(request=None, responses=RolloutSerializer, operation_id="rollouts_stop")
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def stop(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Let nothing go onward; what the first group got stays. 409: it has just moved."""
        return self._move(request, rollouts.stop_rollout)

    @extend_schema(request=None, responses=RolloutSerializer, operation_id="rollouts_resume")
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def resume(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Begin the trial of a stopped rollout anew. 409: it has just moved."""
        return self._move(request, rollouts.resume_rollout)

    @extend_schema(request=None, responses=RolloutSerializer, operation_id="rollouts_undo")
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def undo(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Put back what each changed group inherited before. 409: it has just moved."""
        return self._move(request, rollouts.undo_rollout)

    def _move(self, request: Request, move: _Move) -> Response:
        rollout = self.get_object()
        with fleet_refusals():
            move(rollout=rollout, actor=actor_of(request), now=timezone.now())
        nudge()
        return self.shown(rollout)
