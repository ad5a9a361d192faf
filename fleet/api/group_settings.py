"""The endpoint of what the device entries of groups inherit."""

from __future__ import annotations

from django.utils import timezone
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from devices.models import DeviceGroup
from fleet.api.base import check_may_change, fleet_refusals
from fleet.api.serializers import GroupSettingsSerializer
from fleet.models import GroupSettings
from fleet.services.groups import set_group_settings
from fleet.services.steering import UNSET
from fleet.tasks import nudge
from policies.api.base import Reading, actor_of


class GroupSettingsViewSet(Reading[GroupSettings]):
    """What is laid down for all device entries of a group, but for what they have of their own."""

    queryset = GroupSettings.objects.select_related("group", "policy").defer("secrets")
    serializer_class = GroupSettingsSerializer
    http_method_names = ["get", "head", "post", "patch"]
    search_fields = ("group__name", "policy__name")
    ordering_fields = ("id", "group__name")
    ordering = ("group__name",)

    def create(self, request: Request) -> Response:
        """Lay down settings for a group; who may change them changes what is laid down for it."""
        body = GroupSettingsSerializer(data=request.data, context={"request": request})
        body.is_valid(raise_exception=True)
        if GroupSettings.objects.filter(group=body.validated_data["group"]).exists():
            check_may_change(self)
        row = self._lay_down(request, body.validated_data["group"], body.validated_data)
        return self.shown(row, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change what is sent, for all entries of the group; the group itself stays."""
        row = self.get_object()
        sent = self.checked(row).validated_data
        return self.shown(self._lay_down(request, row.group, sent))

    def _lay_down(
        self, request: Request, group: DeviceGroup, sent: dict[str, object]
    ) -> GroupSettings:
        with fleet_refusals():
            row = set_group_settings(
                group=group,
                settings=sent.get("settings", {}),  # type: ignore[arg-type]  # the serializer's
                policy=sent.get("policy", UNSET),  # type: ignore[arg-type]
                actor=actor_of(request),
                now=timezone.now(),
            )
        nudge()
        return row
