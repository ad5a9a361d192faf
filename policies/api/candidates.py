"""What the guard holds back: looked at, approved or discarded."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from policies import services
from policies.api.base import Reading, actor_of, refusals
from policies.api.compilations import CompilationSerializer, SnapshotSerializer
from policies.api.fields import RowSerializer, Text
from policies.api.permissions import MayChange
from policies.models import Candidate, Policy, Snapshot
from policies.tasks import nudge


class FindingSerializer(serializers.Serializer[Any]):
    """One rule of the guard that would be broken."""

    rule = serializers.CharField(read_only=True)
    message = serializers.CharField(read_only=True)
    limit = serializers.FloatField(read_only=True, help_text="In the measure of the rule.")
    found = serializers.FloatField(read_only=True, help_text="In the measure of the rule.")
    is_change = serializers.BooleanField(
        read_only=True, help_text="A limit on change, which a person may let pass."
    )


class CandidateSerializer(CompilationSerializer[Candidate]):
    """What a policy would publish if its guard let it."""

    findings = FindingSerializer(many=True, read_only=True)

    class Meta:
        model = Candidate
        fields = ["policy", "may_be_approved", "findings", *CompilationSerializer.COLUMNS]


class CandidateSummarySerializer(RowSerializer[Candidate]):
    """A candidate in short; the rest is under candidate/."""

    rules = serializers.SerializerMethodField(help_text="The rules that it would break.")

    class Meta:
        model = Candidate
        fields = ["created_at", "block_digest", "may_be_approved", "rules"]

    def get_rules(self, candidate: Candidate) -> list[str]:
        """Return the rules, each once."""
        return sorted({str(finding["rule"]) for finding in candidate.findings})


class LookedAtSerializer(serializers.Serializer[Any]):
    """What a person looked at."""

    block_digest = Text(max_length=64, help_text="The block_digest of the candidate looked at.")


class CandidateActions(Reading[Policy]):
    """The candidate of a policy."""

    @extend_schema(responses=CandidateSerializer, operation_id="policies_candidate")
    @action(detail=True, filter_backends=[], pagination_class=None)
    def candidate(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Show what the guard holds back; 404 where it holds nothing."""
        return Response(CandidateSerializer(self._held()).data)

    @extend_schema(
        request=LookedAtSerializer,
        responses={200: SnapshotSerializer},
        operation_id="policies_candidate_approve",
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="candidate/approve",
        url_name="candidate-approve",
        permission_classes=[MayChange],
    )
    def approve(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Publish what is held, exactly as it was looked at; 409 where that has changed since."""
        held, digest = self._held(), self._looked_at(request)
        with refusals():
            snapshot = services.approve_candidate(
                policy=held.policy,
                digest=digest,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        fresh = Snapshot.objects.select_related("policy").get(pk=snapshot.pk)
        return Response(SnapshotSerializer(fresh).data)

    @extend_schema(
        request=LookedAtSerializer, responses={204: None}, operation_id="policies_candidate_discard"
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="candidate/discard",
        url_name="candidate-discard",
        permission_classes=[MayChange],
    )
    def discard(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Let the snapshot in force stay until the lists change again; 409 as with approve."""
        held, digest = self._held(), self._looked_at(request)
        with refusals():
            services.discard_candidate(
                policy=held.policy,
                digest=digest,
                actor=actor_of(request),
                now=timezone.now(),  # noqa: TID251  an edge
            )
        nudge()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _held(self) -> Candidate:
        candidate = services.held_candidate(self.get_object())
        if candidate is None:
            raise NotFound("The guard holds nothing of this policy.")
        return candidate

    def _looked_at(self, request: Request) -> str:
        sent = LookedAtSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        return str(sent.validated_data["block_digest"])
