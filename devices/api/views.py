"""The endpoints of devices: parse, one service, answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, JSONField, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, JSONObject
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from devices import services
from devices.api import filters, serializers
from devices.api.left_out import TellingLeftOut
from devices.hosts import feed_base_url
from devices.kinds.base import SettingRefused
from devices.models import Device, Pull
from policies.api.base import NON_FIELD, Reading, actor_of, refusals
from policies.api.permissions import MayChange
from policies.api.serializers import RefreshSerializer
from policies.models import Snapshot
from policies.services import accept_change, request_refresh
from policies.tasks import nudge

_NO_LIMIT = 2_147_483_647
_SHORT = JSONObject(id="pk", number="number", entries="entries")


def _with_published() -> QuerySet[Device]:
    """Return devices with what `Device.published` says of each, in one query."""
    limit = Coalesce(OuterRef("max_policy_size"), Value(_NO_LIMIT))
    fitting = Snapshot.objects.filter(policy=OuterRef("policy_id")).fitting(limit)
    newest = fitting.order_by("-number").values(short=_SHORT)[:1]
    pinned = Snapshot.objects.filter(pk=OuterRef("pinned_snapshot_id")).values(short=_SHORT)[:1]
    return Device.objects.annotate(
        published_row=Case(
            When(policy_updates=True, then=Subquery(newest)),
            default=Subquery(pinned),
            output_field=JSONField(),
        )
    )


@extend_schema_view(
    create=extend_schema(
        request=serializers.DeviceAddSerializer, responses={201: serializers.DeviceSerializer}
    ),
    partial_update=extend_schema(
        request=serializers.DeviceSettingsSerializer, responses=serializers.DeviceSerializer
    ),
)
class DeviceViewSet(TellingLeftOut, Reading[Device]):
    """The firewalls we serve.

    `enforcement.api.devices` adds what gateways can be told, `logs.api.devices` what their logs
    can: those apps stand on this one, and `tscm_site.api` puts them together.
    """

    queryset = (
        _with_published()
        .select_related("policy__current", "gateway", "group")
        .prefetch_related(
            "policy__policy_sources__source", "policy__sources", "policy__current__packings"
        )
    )
    serializer_class = serializers.DeviceSerializer
    filterset_class = filters.DeviceFilter
    search_fields = ("nickname", "device_id", "management_ip", "note")
    ordering_fields = ("id", "nickname", "device_id", "created_at", "last_pull_at")
    ordering = ("nickname",)

    def get_serializer_context(self) -> dict[str, Any]:
        """Return the context, with the moment and where feeds are."""
        context = super().get_serializer_context()
        base = feed_base_url(settings.TSCM_FEED_BIND)
        return {**context, "now": timezone.now(), "feed_base": base}

    def create(self, request: Request) -> Response:
        """Add a device; its policy is refreshed at once."""
        sent = self._sent(
            serializers.DeviceAddSerializer(data=request.data, context={"request": request})
        )
        actor, now = actor_of(request), timezone.now()
        with device_refusals(), transaction.atomic():
            group = services.group_for(request.user, sent.pop("group", None))
            device = services.add_device(
                kind=sent.pop("kind"),
                nickname=sent.pop("nickname"),
                policy=sent.pop("policy", None),
                settings=sent,
                actor=actor,
                now=now,
            )
            services.assign_group(device=device, group=group, actor=actor, now=now)
        self.send_workers(device)
        return self.shown(device, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Change what is sent; another `policy` is followed from now on.

        With `policy` null and a `block_list`, the device gets a policy of its own.
        """
        device = self.get_object()
        sent = self._sent(
            serializers.DeviceSettingsSerializer(
                device, data=request.data, partial=True, context={"request": request}
            )
        )
        policy, actor, now = sent.pop("policy", device.policy), actor_of(request), timezone.now()
        group = sent.pop("group", device.group)
        with device_refusals(), transaction.atomic():
            group = services.group_for(request.user, group)
            services.assign_group(device=device, group=group, actor=actor, now=now)
            if policy is None:
                services.own_lists(device=device, settings=sent, actor=actor, now=now)
            else:
                services.assign_policy(device=device, policy=policy, actor=actor, now=now)
                if sent:
                    services.configure_device(device=device, changes=sent, actor=actor, now=now)
        self.send_workers(device)
        return self.shown(device)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Remove a device; its feeds are gone at once, a gateway's kernel is let go."""
        device = self.get_object()
        services.remove_device(device=device, actor=actor_of(request), now=timezone.now())
        self.send_workers(device)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request=RefreshSerializer,
        responses={202: serializers.DeviceSerializer},
        operation_id="devices_update_now",
    )
    @action(detail=True, methods=["post"], url_path="update", permission_classes=[MayChange])
    def refresh(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Retrieve the lists of the device's policy and compile it, now, in a worker."""
        device = self.get_object()
        wanted = RefreshSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        if wanted.validated_data["accept_change"]:
            if not request.user.has_perm("policies.change_policy"):
                raise PermissionDenied("To accept a change is to change the policy.")
            accept_change(policy=device.policy, actor=actor_of(request), now=timezone.now())
        else:
            request_refresh(policy=device.policy, now=timezone.now())
        self.send_workers(device)
        return self.shown(device, status=status.HTTP_202_ACCEPTED)

    def send_workers(self, device: Device) -> None:  # noqa: ARG002  enforcement's needs it
        """Send workers to what a write has left due."""
        nudge()

    def _sent(self, serializer: BaseSerializer[Device]) -> dict[str, Any]:
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


class PullViewSet(Reading[Pull]):
    """What the firewalls fetched."""

    queryset = Pull.objects.select_related("device")
    serializer_class = serializers.PullSerializer
    filterset_class = filters.PullFilter
    search_fields = ("device__nickname", "client", "agent")
    ordering_fields = ("id", "at", "status", "sent")
    ordering = ("-at",)


@contextmanager
def device_refusals() -> Iterator[None]:
    """Turn the refusals of devices and policies into answers."""
    try:
        with refusals():
            yield
    except SettingRefused as error:
        raise ValidationError({error.setting: [str(error)]}, "refused") from error
    except services.SetByPortal as error:
        raise ValidationError({error.setting: [str(error)]}, "set_by_portal") from error
    except (services.DeviceRefused, services.GroupRefused) as error:
        raise ValidationError({NON_FIELD: [str(error)]}, "refused") from error
