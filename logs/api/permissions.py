"""Who may decide about refused senders, and who may see reports."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from policies.api.permissions import ModelPermissions


class MayAdopt(ModelPermissions):
    """To adopt a sender is to change a device."""

    perms_map = {
        **ModelPermissions.perms_map,
        "POST": ["logs.view_sender", "devices.change_device"],
    }


class MaySeeHits(BasePermission):
    """Reports are a right of their own: they tell what people's machines speak to."""

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002
        """Tell whether the person may see reports."""
        return request.user.has_perm("logs.view_hits")
