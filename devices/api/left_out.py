"""The endpoint of what a small device does not get."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from devices.models import Device
from devices.reports.left_out import NothingLeftOut, left_out_text
from policies.api.parameters import parameters
from policies.downloads import as_file


class TellingLeftOut(GenericViewSet[Device]):
    """Tells what of its policy a device does not get."""

    @extend_schema(
        operation_id="devices_left_out",
        filters=False,
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    @action(detail=True, methods=["get"], url_path="left-out", pagination_class=None)
    def left_out(self, request: Request, pk: str) -> StreamingHttpResponse:  # noqa: ARG002
        """Give every prefix of the policy that the device is too small for, a line each."""
        parameters(request)
        try:
            return as_file(left_out_text(self.get_object()), name="left-out.txt")
        except NothingLeftOut as error:
            raise NotFound(str(error), code="nothing_left_out") from error
        except (OSError, ValueError) as error:
            raise NotFound(f"A list cannot be read: {error}", code="not_readable") from error
