from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from devices.models import Pull
from devices.services.pulls import DELIVERED
from policies.admin.base import ReadOnlyAdmin
from policies.states import Tone
from policies.words import count, link, word


@admin.register(Pull)
class PullAdmin(ReadOnlyAdmin):
    list_display = (
        "at", "device_link", "client", "file", "method", "answer", "snapshot_number", "sent_shown",
        "agent",
    )  # fmt: skip
    list_filter = ("status", "file", "is_complete", "at")
    list_select_related = ("device",)
    search_fields = ("device__nickname", "=client", "agent")
    search_help_text = "Device, client address or user agent"
    date_hierarchy = "at"
    ordering = ("-at", "-id")
    fieldsets = (
        (None, {"fields": ("at", "device_link", "client", "agent")}),
        ("Answer", {"fields": ("file", "method", "answer", "snapshot_number", "sent_shown")}),
    )

    @display(description="device", ordering="device__nickname")
    def device_link(self, pull: Pull) -> SafeString:
        """Return the device."""
        return link(pull.device)

    @display(description="answer", ordering="status")
    def answer(self, pull: Pull) -> SafeString:
        """Return how it ended, as a word."""
        return answer_of(pull)

    @display(description="bytes", ordering="sent")
    def sent_shown(self, pull: Pull) -> str:
        """Return how many bytes were sent."""
        return count(pull.sent)


def answer_of(pull: Pull) -> SafeString:
    """Return how a pull ended, as a word with its status."""
    tone, said = _said(pull)
    return word(tone, f"{pull.status} {said}")


def _said(pull: Pull) -> tuple[Tone, str]:
    if not pull.is_complete:
        return "warning", "cut short"
    if pull.status in DELIVERED:
        return "success", "delivered" if pull.status == 200 else "unchanged"
    known: dict[int, tuple[Tone, str]] = {
        403: ("danger", "not allowed"),
        404: ("warning", "not found"),
        503: ("warning", "not ready"),
    }
    return known.get(pull.status, ("neutral", "other"))
