from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from devices.models import Pull
from policies.admin.base import ReadOnlyAdmin
from policies.admin.months import MonthFilter
from policies.states import Role, Tone
from policies.words import count, link, word

_FILES = tuple(f"threatstop-{role}.txt{suffix}" for role in Role for suffix in ("", ".md5"))
_ANSWERS: dict[int, tuple[Tone, str]] = {
    200: ("success", "delivered"),
    304: ("success", "unchanged"),
    403: ("danger", "not allowed"),
    404: ("warning", "not found"),
    503: ("warning", "not ready"),
}


class FileFilter(admin.SimpleListFilter):
    """Pulls by the file that was asked for; there are no others."""

    title = "file"
    parameter_name = "file"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the files."""
        return [(name, name) for name in _FILES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Pull]) -> QuerySet[Pull]:  # noqa: ARG002
        """Return the pulls of the one that was chosen."""
        return queryset if self.value() is None else queryset.filter(file=self.value())


class AnswerFilter(admin.SimpleListFilter):
    """Pulls by what was answered."""

    title = "answer"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the answers that are given."""
        return [(str(status), f"{status} {said}") for status, (_, said) in _ANSWERS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Pull]) -> QuerySet[Pull]:  # noqa: ARG002
        """Return the pulls that were answered so."""
        chosen = self.value()
        return queryset.filter(status=int(chosen)) if chosen and chosen.isdecimal() else queryset


@admin.register(Pull)
class PullAdmin(ReadOnlyAdmin):
    list_display = (
        "at", "device_link", "client", "file", "method", "answer", "snapshot_number", "sent_shown",
        "agent",
    )  # fmt: skip
    list_filter = (AnswerFilter, FileFilter, "is_complete", "at", ("at", MonthFilter))
    search_fields = ("device__nickname", "=client", "agent")
    search_help_text = "Device, client address or user agent"
    ordering = ("-at", "-id")
    fieldsets = (
        (None, {"fields": ("at", "device_link", "client", "agent")}),
        ("Answer", {"fields": ("file", "method", "answer", "snapshot_number", "sent_shown")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pull]:
        """Return the pulls; their devices by a query of their own, so that leafing is quick."""
        pulls: QuerySet[Pull] = super().get_queryset(request)
        return pulls.prefetch_related("device")

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
    return _ANSWERS.get(pull.status, ("neutral", "other"))
