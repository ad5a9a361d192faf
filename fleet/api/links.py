"""The endpoint of links: devices here that a portal elsewhere steers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from devices.api.views import device_refusals
from devices.services import group_for
from fleet.link_tasks import SECONDS, nudge
from fleet.models import Link
from fleet.protocol.errors import WebAutomationError
from fleet.protocol.keys import KeyUnreadable
from fleet.protocol.names import NotADeviceId
from fleet.reports.link_access import may_change
from fleet.reports.link_health import LinkHealth, LinkState, link_health
from fleet.services.link import Here, link_device, unlink_device
from fleet.services.link_overrides import override_setting, release_override
from fleet.services.link_poll import request_poll
from fleet.services.link_portal import portal_named
from policies.api.base import NON_FIELD, Conflict, Reading, actor_of
from policies.api.fields import RowSerializer, Text
from policies.api.permissions import MayChange
from policies.fields import DecryptionFailed
from policies.services.trial_slots import trial_slot
from policies.tasks import nudge as nudge_policies

_PEM_MOST = 100_000


class LinkHealthSerializer(serializers.Serializer[LinkHealth]):
    """How the link does: a word, and a sentence that says what to do."""

    state = serializers.ChoiceField(choices=LinkState.choices, read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]
    tone = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)


class LinkSerializer(RowSerializer[Link]):
    """A device whose settings a portal lays down; keys and secrets are never shown."""

    device_nickname = serializers.CharField(source="device.nickname", read_only=True)
    device_id = serializers.CharField(source="device.device_id", read_only=True)
    health = serializers.SerializerMethodField()
    set_by_portal = serializers.ListField(
        source="device.set_by_portal", child=serializers.CharField(), read_only=True,
        help_text="Settings that are changed on the portal, or overridden here.",
    )  # fmt: skip
    overrides = serializers.DictField(
        read_only=True, help_text="What is set here instead; of a secret only that it is set."
    )
    refused = serializers.ListField(
        child=serializers.CharField(), read_only=True,
        help_text="Settings that are not in force here, and why.",
    )  # fmt: skip

    class Meta:
        model = Link
        fields = [
            "id", "device", "device_nickname", "device_id", "host", "port", "domain", "tls_name",
            "health", "serial", "set_by_portal", "overrides", "refused", "linked_at", "asked_at",
            "reached_at", "changed_at", "failures", "error", "server", "clock_offset",
            "reported_at", "report_error",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(LinkHealthSerializer)
    def get_health(self, link: Link) -> dict[str, Any]:
        """Return how it does."""
        return LinkHealthSerializer(link_health(link)).data


class LinkAddSerializer(serializers.Serializer[Any]):
    """A device to link: its ID and key are on its page on the portal."""

    device_id = Text(max_length=64)
    device_key = Text(max_length=100, write_only=True)
    nickname = Text(
        max_length=64, required=False, help_text="The name here; the portal's if not given."
    )
    portal = Text(
        max_length=300, required=False,
        help_text="host or host:port; what the site says if not given.",
    )  # fmt: skip
    domain = Text(max_length=180, required=False)
    ca = Text(
        max_length=_PEM_MOST, required=False, allow_blank=True,
        help_text="PEM of the CAs to trust; empty for the system's.",
    )  # fmt: skip
    tls_name = Text(max_length=253, required=False, allow_blank=True)


class OverrideSerializer(serializers.Serializer[Any]):
    """A setting that is to be another here than on the portal."""

    setting = Text(max_length=64, help_text="Such as log_size; policy for the policy to follow.")
    value = Text(
        max_length=4000, allow_blank=True, trim_whitespace=False,
        help_text="As text, as 'tsadmin configure' takes it.",
    )  # fmt: skip


class ReleaseSerializer(serializers.Serializer[Any]):
    """A setting that is to be as the portal says again."""

    setting = Text(max_length=64)


@extend_schema_view(
    create=extend_schema(request=LinkAddSerializer, responses={201: LinkSerializer})
)
class LinkViewSet(Reading[Link]):
    """The devices here that a portal steers."""

    queryset = Link.objects.select_related("device").defer(
        "key", "next_key", "secrets", "secret_overrides", "settings", "records"
    )
    serializer_class = LinkSerializer
    search_fields = ("device__nickname", "device__device_id", "host")
    ordering_fields = ("id", "device", "reached_at", "linked_at")
    ordering = ("device",)

    def create(self, request: Request) -> Response:
        """Link a device: its settings are fetched now, and it is added or taken over.

        One that is here already is taken over by who sees it and may change it. It takes up to 20
        seconds. 409: two are being linked or tried already.
        """
        body = LinkAddSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sent = body.validated_data
        with link_refusals():
            group = group_for(request.user, None)
            portal = portal_named(
                place=sent.get("portal"),
                domain=sent.get("domain"),
                ca=sent.get("ca"),
                tls_name=sent.get("tls_name", ""),
            )
            with trial_slot():
                linked = link_device(
                    portal=portal, device_id=sent["device_id"], key_text=sent["device_key"],
                    here=Here(sent.get("nickname"), group, partial(may_change, request.user)),
                    actor=actor_of(request),
                    now=timezone.now(), seconds=SECONDS,
                )  # fmt: skip
        nudge_policies()
        return self.shown(linked.link, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Unlink a device: it stays, its settings as they are, and they are changed here."""
        link = self.get_object()
        with link_refusals():
            unlink_device(device=link.device, actor=actor_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: LinkSerializer}, operation_id="links_poll")
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def poll(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Ask the portal now, in a worker."""
        link = self.get_object()
        with link_refusals():
            request_poll(device=link.device, now=timezone.now())
        nudge()
        return self.shown(link, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        request=OverrideSerializer, responses=LinkSerializer, operation_id="links_override"
    )
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def override(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Set something here that the portal lays down; it is in force at once."""
        link = self.get_object()
        wanted = OverrideSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        with link_refusals():
            override_setting(
                device=link.device, name=wanted.validated_data["setting"],
                value=wanted.validated_data["value"], actor=actor_of(request), now=timezone.now(),
            )  # fmt: skip
        nudge_policies()
        return self.shown(link)

    @extend_schema(
        request=ReleaseSerializer, responses=LinkSerializer, operation_id="links_release"
    )
    @action(detail=True, methods=["post"], permission_classes=[MayChange])
    def release(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Let the portal's value be in force again."""
        link = self.get_object()
        wanted = ReleaseSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        with link_refusals():
            release_override(
                device=link.device, name=wanted.validated_data["setting"],
                actor=actor_of(request), now=timezone.now(),
            )  # fmt: skip
        nudge_policies()
        return self.shown(link)


@contextmanager
def link_refusals() -> Iterator[None]:
    """Turn what links refuse, and what portals answer, into answers."""
    try:
        with device_refusals():
            yield
    except KeyUnreadable as error:
        raise ValidationError({"device_key": [str(error)]}, "refused") from error
    except NotADeviceId as error:
        raise ValidationError({"device_id": [str(error)]}, "refused") from error
    except WebAutomationError as error:
        raise ValidationError({NON_FIELD: [str(error)]}, "portal") from error
    except DecryptionFailed as error:
        raise Conflict(f"{error}.", "unreadable") from error
