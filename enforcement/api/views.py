"""The endpoints of questions and of what was done in kernels: both are only read."""

from __future__ import annotations

from django_filters import rest_framework as filters
from rest_framework import mixins

from devices.api.permissions import SeesDevices
from devices.models import Device, GatewayRelease
from enforcement.api.serializers import ApplicationSerializer, InquirySerializer, ReleaseSerializer
from enforcement.models import Application, Inquiry
from policies.api.base import Reading, Seen
from policies.api.filters import SeenFilter, SeenFilterSet


class InquiryViewSet(mixins.RetrieveModelMixin, Seen[Inquiry]):
    """Questions to enforcers; poll one every second or two until it is answered."""

    queryset = Inquiry.objects.select_related("gateway__device")
    serializer_class = InquirySerializer
    permission_classes = (SeesDevices,)
    lookup_value_regex = "[0-9]{1,18}"


class ReleaseViewSet(Reading[GatewayRelease]):
    """Kernels that still hold the list of a device that was removed or moved."""

    queryset = GatewayRelease.objects.all()
    serializer_class = ReleaseSerializer
    permission_classes = (SeesDevices,)
    search_fields = ("node", "nickname")
    ordering_fields = ("id", "node", "asked_at")
    ordering = ("asked_at",)


class ApplicationFilter(SeenFilterSet):
    """What was done, by device, outcome, reason and time."""

    device = SeenFilter(queryset=Device.objects.all(), field_name="gateway__device")
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Application
        fields = ["device", "outcome", "trigger", "snapshot_number"]


class ApplicationViewSet(Reading[Application]):
    """What was done in the kernels of gateways, the newest first."""

    queryset = Application.objects.select_related("gateway__device")
    serializer_class = ApplicationSerializer
    filterset_class = ApplicationFilter
    permission_classes = (SeesDevices,)
    search_fields = ("gateway__device__nickname", "detail")
    ordering_fields = ("id", "at", "seconds", "added", "removed")
    ordering = ("-at",)
