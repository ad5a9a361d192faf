from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from logs.admin.parts import PartOfDevice
from logs.models import LineShape
from policies.admin.base import Overview
from policies.words import ago, count, link, shortened


@admin.register(LineShape)
class LineShapeAdmin(PartOfDevice):
    list_display = ("shape_shown", "device_link", "lines_shown", "last", "sample_shown")
    list_select_related = ("device",)
    search_fields = ("device__nickname", "shape", "sample")
    search_help_text = "Device or text"
    ordering = ("-lines", "-id")
    fieldsets = (
        (None, {"fields": ("device_link", "lines_shown", "first", "last", "version")}),
        ("One of the lines", {"fields": ("sample_whole",)}),
    )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the shapes."""
        return super().changelist_view(request, {"title": "Unknown lines", **(extra_context or {})})

    def overview(self, row: LineShape, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return the shape, and what it means."""
        return Overview(
            headline=format_html("{}", row.shape),
            sentence="No parser knows such lines: reports know nothing of them. Most are of other "
            "matters. If these tell of connections, send the line below to whoever keeps TSCM.",
        )

    @display(description="shape", ordering="shape")
    def shape_shown(self, shape: LineShape) -> str:
        """Return the line without what varies."""
        return shortened(shape.shape)

    @display(description="device", ordering="device__nickname")
    def device_link(self, shape: LineShape) -> SafeString:
        """Return the device that sends them."""
        return link(shape.device)

    @display(description="lines", ordering="lines")
    def lines_shown(self, shape: LineShape) -> str:
        """Return how many there were."""
        return count(shape.lines)

    @display(description="first came", ordering="first_at")
    def first(self, shape: LineShape) -> SafeString:
        """Return when the first came."""
        return ago(shape.first_at, now=timezone.now())

    @display(description="last came", ordering="last_at")
    def last(self, shape: LineShape) -> SafeString:
        """Return when the last came."""
        return ago(shape.last_at, now=timezone.now())

    @display(description="one of them")
    def sample_shown(self, shape: LineShape) -> str:
        """Return the beginning of one."""
        return shortened(shape.sample)

    @display(description="line")
    def sample_whole(self, shape: LineShape) -> SafeString:
        """Return one as it came."""
        return format_html("<code>{}</code>", shape.sample)
