"""The parameters that lists of devices and pulls take."""

from __future__ import annotations

from django_filters import rest_framework as filters

from devices.models import Device, Pull
from policies.api.filters import SeenFilterSet


class DeviceFilter(SeenFilterSet):
    """Devices by name, ID, kind and policy."""

    nickname = filters.CharFilter(max_length=64)
    device_id = filters.CharFilter(max_length=64)

    class Meta:
        model = Device
        fields = ["nickname", "device_id", "kind", "policy", "policy_updates", "is_sample"]


class PullFilter(SeenFilterSet):
    """Pulls by device, answer and time."""

    status = filters.NumberFilter(min_value=100, max_value=599)
    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Pull
        fields = ["device", "file", "status", "is_complete"]
