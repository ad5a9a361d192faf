"""What the pages of logs share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from logs.models import Spool
from policies.admin.base import ReadOnlyAdmin
from policies.words import NOTHING


class PartOfDevice(ReadOnlyAdmin):
    """Pages of what is a part of a device: who may view devices may look at it."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Tell who may look."""
        return request.user.has_perm("devices.view_device")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Tell who may look at any of it."""
        return self.has_view_permission(request)


def span(first: datetime, last: datetime) -> str:
    """Return a span of time; the day once where it is the same."""
    end = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S} \N{EN DASH} {end}"


def size(number: int | None) -> str:
    """Return how many bytes there are, as people say it."""
    return NOTHING if number is None else filesizeformat(number)


def whole(text: object) -> SafeString:
    """Return a short text that is not broken, wherever it stands in a table."""
    return format_html('<span class="whole">{}</span>', text)


def ledger_url(spool: Spool) -> str:
    """Return the address of the page of a ledger."""
    return reverse("admin:logs_spool_change", args=[spool.pk])
