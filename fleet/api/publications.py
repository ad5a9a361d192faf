"""The endpoints of published policies and their zones."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from fleet.api.base import check_may_change, fleet_refusals
from fleet.api.filters import PolicyZoneFilter
from fleet.models import PolicyZone, Publication
from fleet.reports.visible import is_shared_beyond
from fleet.services.publications import publish_policy, unpublish_policy
from fleet.tasks import nudge
from fleet.zones import FORMS
from policies.api.base import Reading, actor_of
from policies.api.fields import RowId, RowSerializer, Text
from policies.models import Policy

_CHOICES = [(name, form.label) for name, form in FORMS.items()]
_MOST_NETWORKS = 64
_CHANGED = ("forms", "by_address", "networks")


class PolicyZoneSerializer(RowSerializer[PolicyZone]):
    """One zone of a published policy, and what it holds."""

    policy = serializers.IntegerField(source="publication.policy_id", read_only=True)
    policy_name = serializers.CharField(source="publication.policy.name", read_only=True)

    class Meta:
        model = PolicyZone
        fields = [
            "id", "name", "policy", "policy_name", "form", "role", "serial", "snapshot_number",
            "list_digest", "entries", "written_at", "error",
        ]  # fmt: skip
        read_only_fields = fields


class PublicationSerializer(RowSerializer[Publication]):
    """That a policy is published as zones: in what forms, and who may transfer them."""

    policy = RowId(queryset=Policy.objects.all(), help_text="It stays as it is made.")
    policy_name = serializers.CharField(source="policy.name", read_only=True)
    forms = serializers.ListField(
        child=serializers.ChoiceField(choices=_CHOICES), max_length=len(FORMS), required=False
    )
    networks = serializers.ListField(
        child=Text(max_length=50), max_length=_MOST_NETWORKS, required=False,
        help_text="Further addresses and networks that may transfer, those of secondaries say.",
    )  # fmt: skip
    zones = serializers.SerializerMethodField()

    class Meta:
        model = Publication
        fields = [
            "id", "policy", "policy_name", "label", "forms", "by_address", "networks", "zones",
        ]  # fmt: skip
        read_only_fields = ["label"]

    def get_zones(self, publication: Publication) -> list[str]:
        """Return the names of its zones."""
        return [zone.name for zone in publication.zones.all()]


class PublicationViewSet(Reading[Publication]):
    """The policies that this portal publishes as zones."""

    queryset = Publication.objects.select_related("policy").prefetch_related("zones")
    serializer_class = PublicationSerializer
    search_fields = ("policy__name", "label")
    ordering_fields = ("id", "label", "policy__name")
    ordering = ("policy__name",)

    def create(self, request: Request) -> Response:
        """Publish a policy; who may change that changes how. Its zones come within a minute."""
        body = PublicationSerializer(data=request.data, context={"request": request})
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        if Publication.objects.filter(policy=sent["policy"]).exists():
            check_may_change(self)
        row = self._publish(request, sent["policy"], None, sent)
        return self.shown(row, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change in what forms it is published, or for whom."""
        row = self.get_object()
        sent = self.checked(row).validated_data
        return self.shown(self._publish(request, row.policy, row, sent))

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Take its zones off the primary. 409: device entries follow it."""
        row = self.get_object()
        _refuse_beyond(request, row.policy)
        with fleet_refusals():
            unpublish_policy(publication=row, actor=actor_of(request), now=timezone.now())
        nudge()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _publish(
        self,
        request: Request,
        policy: Policy,
        held: Publication | None,
        sent: dict[str, Any],
    ) -> Publication:
        _refuse_beyond(request, policy)
        row = held or Publication.objects.filter(policy=policy).first() or Publication()
        told: dict[str, Any] = {name: sent.get(name, getattr(row, name)) for name in _CHANGED}
        with fleet_refusals():
            row = publish_policy(policy=policy, **told, actor=actor_of(request), now=timezone.now())
        nudge()
        return row


def _refuse_beyond(request: Request, policy: Policy) -> None:
    if is_shared_beyond(policy, request.user):
        raise PermissionDenied(
            f"Others than your groups follow the policy {policy.name}; ask who sees all of them."
        )


class PolicyZoneViewSet(Reading[PolicyZone]):
    """The zones of published policies, and what each holds."""

    queryset = PolicyZone.objects.select_related("publication__policy")
    serializer_class = PolicyZoneSerializer
    filterset_class = PolicyZoneFilter
    http_method_names = ["get", "head"]
    search_fields = ("name", "publication__policy__name")
    ordering_fields = ("id", "name", "written_at", "entries")
    ordering = ("name",)
