"""Snapshots, the way back to an earlier one, and the way on again."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from policies import services
from policies.api import filters
from policies.api.base import Reading, actor_of, refusals
from policies.api.compilations import SnapshotSerializer
from policies.api.permissions import MayChange, MayChangePolicy
from policies.api.serializers import PolicySerializer
from policies.models import Policy, Snapshot
from policies.tasks import nudge


class SnapshotViewSet(Reading[Snapshot]):
    """The compiled versions of policies, their numbers and their feeds."""

    queryset = Snapshot.objects.select_related("policy").prefetch_related("feeds")
    serializer_class = SnapshotSerializer
    filterset_class = filters.SnapshotFilter
    search_fields = ("policy__name",)
    ordering_fields = ("id", "created_at", "number", "entries")
    ordering = ("-created_at",)

    @extend_schema(
        request=None,
        responses={200: PolicySerializer, 202: PolicySerializer},
        operation_id="snapshots_return",
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="return",
        url_name="return",
        permission_classes=[MayChangePolicy],
    )
    def go_back(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Publish this snapshot's lists again and keep them until the policy is released.

        Answers the policy; with 202 where a worker is at it, which then publishes them.
        """
        snapshot = self.get_object()
        with refusals():
            report = services.return_to_snapshot(
                snapshot=snapshot,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        nudge()
        policy = Policy.objects.get(pk=snapshot.policy_id)
        code = status.HTTP_202_ACCEPTED if report is None else status.HTTP_200_OK
        return Response(PolicySerializer(policy).data, status=code)


class ReleaseAction(Reading[Policy]):
    """The end of a pin."""

    @extend_schema(request=None, responses={202: PolicySerializer}, operation_id="policies_release")
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def release(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Let a pinned policy follow its sources again; a worker compiles it at once."""
        policy = self.get_object()
        with refusals():
            services.release_policy(
                policy=policy,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        nudge()
        return self.shown(policy, status=status.HTTP_202_ACCEPTED)
