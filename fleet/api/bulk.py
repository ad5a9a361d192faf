"""Many device entries at once, in the API: a preview, and then exactly that."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.models import DeviceGroup
from devices.services import group_for
from fleet.api.base import fleet_refusals
from fleet.api.serializers import SettingsField
from fleet.models import Entry
from fleet.services.bulk import MOST_ENTRIES, BulkChange, Preview, apply_bulk, preview_bulk
from fleet.services.steering import UNSET, Change, Unset
from fleet.tasks import nudge
from policies.api.base import actor_of
from policies.api.fields import RowId, Text, Whole, YesNo
from policies.api.permissions import MayChange
from policies.models import Policy
from policies.visible import Person, visible

LINES_SHOWN = 1_000


class BulkSerializer(serializers.Serializer[Any]):
    """Which entries, and what is laid down for each; what is not sent stays.

    Which: exactly one of `entries`, `of_group` and `all`.
    """

    entries = serializers.ListField(
        child=Whole(min_value=1, max_value=2**63 - 1), max_length=MOST_ENTRIES, required=False
    )
    of_group = RowId(queryset=DeviceGroup.objects.all(), required=False)
    all = YesNo(required=False, default=False)
    settings = SettingsField()
    policy = RowId(
        queryset=Policy.objects.all(), required=False, allow_null=True,
        help_text="null: that of the group, or lists.",
    )  # fmt: skip
    group = RowId(
        queryset=DeviceGroup.objects.all(), required=False, allow_null=True,
        help_text="The group to move them to; null: into none.",
    )  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Hold it to one way to say which; raises ValidationError."""
        ways = [name for name in ("entries", "of_group") if name in attrs]
        if len(ways) + attrs["all"] != 1:
            raise ValidationError("Send exactly one of entries, of_group, and all as true.")
        return attrs


class BulkApplySerializer(BulkSerializer):
    """What was previewed, and the digest of its preview."""

    digest = Text(max_length=64, min_length=64)


class BulkDifferenceSerializer(serializers.Serializer[Any]):
    """What becomes of one setting of a device, or of its policy or group."""

    name = serializers.CharField(read_only=True)
    before = serializers.JSONField(read_only=True, help_text="Of a secret 'set' or empty.")
    after = serializers.JSONField(read_only=True)
    note = serializers.CharField(
        read_only=True, help_text="What changes where both are the same: its own, or inherited."
    )


class BulkLineSerializer(serializers.Serializer[Any]):
    """What a change does to one device, or why it cannot be done."""

    entry = serializers.IntegerField(source="entry.pk", read_only=True)
    nickname = serializers.CharField(source="entry.nickname", read_only=True)
    differences = BulkDifferenceSerializer(many=True, read_only=True)
    refusal = serializers.CharField(read_only=True)


class BulkPreviewSerializer(serializers.Serializer[Preview]):
    """What a change does: numbers of entries, and the first thousand of them, refusals first."""

    digest = serializers.CharField(read_only=True, help_text="To be sent to apply it.")
    changed = serializers.IntegerField(read_only=True)
    refused = serializers.IntegerField(read_only=True)
    unchanged = serializers.IntegerField(read_only=True)
    lines = BulkLineSerializer(many=True, read_only=True)

    def to_representation(self, instance: Preview) -> dict[str, Any]:
        """Return the numbers and lines."""
        lines = [*instance.refused, *instance.changed][:LINES_SHOWN]
        return {
            "digest": instance.digest,
            "changed": len(instance.changed),
            "refused": len(instance.refused),
            "unchanged": instance.unchanged,
            "lines": BulkLineSerializer(lines, many=True).data,
        }


class BulkChanging(GenericViewSet[Entry]):
    """Changes many entries, all or none."""

    @extend_schema(
        request=BulkSerializer,
        responses=BulkPreviewSerializer,
        operation_id="device_entries_bulk_preview",
    )
    @action(detail=False, methods=["post"], url_path="bulk/preview", permission_classes=[MayChange])
    def preview(self, request: Request) -> Response:
        """Tell what a change would do to each entry; nothing is changed."""
        sent = self._sent(BulkSerializer, request)
        with fleet_refusals():
            entries, change = _meant(sent, request.user)
            shown = preview_bulk(entries=entries, change=change)
        return Response(BulkPreviewSerializer(shown).data)

    @extend_schema(
        request=BulkApplySerializer,
        responses=BulkPreviewSerializer,
        operation_id="device_entries_bulk_apply",
    )
    @action(detail=False, methods=["post"], url_path="bulk/apply", permission_classes=[MayChange])
    def apply(self, request: Request) -> Response:
        """Do what was previewed, to all entries or none. 409: by now it would do something else."""
        sent = self._sent(BulkApplySerializer, request)
        with fleet_refusals():
            entries, change = _meant(sent, request.user)
            done = apply_bulk(
                entries=entries, change=change, digest=sent["digest"], actor=actor_of(request),
                now=timezone.now(),
            )  # fmt: skip
        nudge()
        return Response(BulkPreviewSerializer(done).data)

    def _sent(self, kind: type[BulkSerializer], request: Request) -> dict[str, Any]:
        body = kind(data=request.data, context={"request": request})
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)


def _meant(sent: dict[str, Any], user: Person) -> tuple[QuerySet[Entry], BulkChange]:
    """Return which entries are meant, and what is to become of them; raises GroupRefused."""
    entries = visible(Entry.objects.all(), user)
    if "of_group" in sent:
        entries = entries.filter(group=sent["of_group"])
    if "entries" in sent:
        wanted = set(sent["entries"])
        entries = entries.filter(pk__in=wanted)
        if entries.count() != len(wanted):
            raise ValidationError({"entries": ["One of these is no entry."]}, "does_not_exist")
    group: DeviceGroup | Unset | None = UNSET
    if "group" in sent:
        group = group_for(user, sent["group"])
    change = Change(sent.get("settings", {}), policy=sent.get("policy", UNSET))
    return entries, BulkChange(change, group)
