"""The endpoint of device entries: added, configured, steered, given other keys, removed."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import ApiToken, TokenRight
from devices.services import group_for
from fleet.api import serializers
from fleet.api.base import fleet_refusals, the_portal
from fleet.api.bulk import BulkChanging
from fleet.api.filters import EntryFilter
from fleet.models import Entry
from fleet.reports.effective import effective_of, inherited_by
from fleet.reports.health import status_of
from fleet.reports.linking import linking_of
from fleet.services import entries, entry_keys
from fleet.services.steering import UNSET, Change
from fleet.tasks import nudge
from policies.api.base import Reading, actor_of
from policies.api.parameters import parameters
from policies.api.permissions import MayChange

_NOT_KEPT = {"Cache-Control": "no-store"}


def _registers(request: Request) -> bool:
    """Tell whether a request came with a token that is for adding entries alone."""
    return isinstance(request.auth, ApiToken) and request.auth.right == TokenRight.ADD_ENTRIES


@extend_schema_view(
    create=extend_schema(
        request=serializers.EntryAddSerializer,
        responses={
            200: OpenApiResponse(serializers.NewEntrySerializer, "It had registered before."),
            201: serializers.NewEntrySerializer,
        },
    ),
    partial_update=extend_schema(
        request=serializers.EntryChangeSerializer, responses=serializers.EntrySerializer
    ),
)
class EntryViewSet(BulkChanging, Reading[Entry]):
    """The devices that this portal steers."""

    queryset = (
        Entry.objects.select_related("policy", "group", "status")
        .prefetch_related("keys")
        .defer("secrets")
    )
    serializer_class = serializers.EntrySerializer
    filterset_class = EntryFilter
    search_fields = ("nickname", "device_id", "note", "group__name")
    ordering_fields = ("id", "nickname", "device_id", "created_at", "written_at")
    ordering = ("nickname",)

    @property
    def throttle_scope(self) -> str | None:
        """Machines that register themselves have a bound of their own."""
        return "registrations" if _registers(self.request) else None

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context, with the moment."""
        return {**super().get_serializer_context(), "now": timezone.now()}

    def create(self, request: Request) -> Response:
        """Add an entry; its device key is in this answer and nowhere else.

        With `registration` the same name and secret answer 200 again, with a key that is good; 409:
        the name is another's, or its keys were revoked. A token for adding entries says `nickname`,
        `kind`, `manufacturer`, `model` and `registration` alone, and the last is required.
        """
        the_portal()
        takes = (
            serializers.RegisterSerializer
            if _registers(request)
            else serializers.EntryAddSerializer
        )
        body = takes(data=request.data, context={"request": request})
        body.is_valid(raise_exception=True)
        sent = dict(body.validated_data)
        registration = sent.pop("registration", None)
        actor, now = actor_of(request), timezone.now()
        with fleet_refusals():
            sent["group"] = group_for(request.user, sent.get("group"))
            newcomer = entries.Newcomer(**sent)
            if registration is None:
                made = entries.add_entry(newcomer=newcomer, actor=actor, now=now)
            else:
                made = entries.register_entry(
                    newcomer=newcomer, registration=registration, actor=actor, now=now
                )
        code = status.HTTP_201_CREATED if made.is_new else status.HTTP_200_OK
        return self._with_key(made.entry, made.key_text, status=code)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change what is sent; the device has it within five minutes."""
        entry = self.get_object()
        body = serializers.EntryChangeSerializer(
            entry, data=request.data, partial=True, context={"request": request}
        )
        body.is_valid(raise_exception=True)
        sent = dict(body.validated_data)
        change = Change(sent.pop("settings", {}), policy=sent.pop("policy", UNSET))
        group = sent.pop("group", entry.group)
        actor, now = actor_of(request), timezone.now()
        with fleet_refusals(), transaction.atomic():
            group = group_for(request.user, group)
            entries.configure_entry(entry=entry, change=change, about=sent, actor=actor, now=now)
            entries.move_entry(entry=entry, group=group, actor=actor, now=now)
        nudge()
        return self.shown(entry)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Remove an entry; its device keeps what it has, and is steered no more."""
        with fleet_refusals():
            entries.remove_entry(
                entry=self.get_object(), actor=actor_of(request), now=timezone.now()
            )
        nudge()
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=serializers.RotateSerializer,
        responses=serializers.NewEntrySerializer,
        operation_id="device_entries_rotate_key",
    )
    @action(detail=True, methods=["post"], url_path="rotate-key", permission_classes=[MayChange])
    def rotate_key(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Make another device key, shown this once; the old one stays good for a while."""
        the_portal()
        entry = self.get_object()
        wanted = serializers.RotateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        with fleet_refusals():
            made = entry_keys.rotate_key(
                entry=entry,
                hours=wanted.validated_data["hours"],
                actor=actor_of(request),
                now=timezone.now(),
            )
        return self._with_key(entry, made.text)

    @extend_schema(
        request=serializers.RevokeSerializer,
        responses=serializers.EntrySerializer,
        operation_id="device_entries_revoke_key",
    )
    @action(detail=True, methods=["post"], url_path="revoke-key", permission_classes=[MayChange])
    def revoke_key(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Let a device key be good no more, at once."""
        entry = self.get_object()
        wanted = serializers.RevokeSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        with fleet_refusals():
            entry_keys.revoke_key(
                entry=entry,
                generation=wanted.validated_data["generation"],
                actor=actor_of(request),
                now=timezone.now(),
            )
        nudge()
        return self.shown(entry)

    @extend_schema(
        responses=serializers.EffectiveSerializer,
        operation_id="device_entries_effective",
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None)
    def effective(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Return what is in force for the device, and who says so: it, its group, or nobody."""
        parameters(request)
        entry = self.get_object()
        with fleet_refusals():
            laid_down = effective_of(entry, inherited_by(entry))
        return Response(serializers.EffectiveSerializer(laid_down).data)

    @extend_schema(
        responses=serializers.EntryStatusSerializer,
        operation_id="device_entries_status",
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None, url_path="status")
    def last_status(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Return what the device said of itself last. 404: nothing yet."""
        parameters(request)
        said = status_of(self.get_object())
        if said is None:
            raise NotFound("The device has told nothing of itself yet.", "never_linked")
        return Response(serializers.EntryStatusSerializer(said).data)

    def _with_key(self, entry: Entry, text: str, *, status: int = status.HTTP_200_OK) -> Response:
        nudge()
        # Not only what the person sees: who registers again may have been moved elsewhere.
        fresh = self.queryset.get(pk=entry.pk)
        linking = linking_of(fresh, text, the_portal())
        context = {**self.get_serializer_context(), "linking": linking}
        shown = serializers.NewEntrySerializer(fresh, context=context).data
        return Response(shown, status=status, headers=_NOT_KEPT)
