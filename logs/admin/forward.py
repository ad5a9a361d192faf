from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from logs.admin.parts import PartOfDevice, size
from logs.models import Forward
from policies.admin.base import Overview
from policies.words import ago, count, link, shortened, table, word

_NONE = "\N{EN DASH}"


@admin.register(Forward)
class ForwardAdmin(PartOfDevice):
    list_display = (
        "target", "device_link", "state_shown", "lag", "oldest", "sent_shown", "dropped_shown",
        "cut_shown", "told", "error_line",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("device",)
    search_fields = ("device__nickname", "target", "error")
    search_help_text = "Device, target or error"
    ordering = ("device__nickname", "target", "id")
    fieldsets = (
        (None, {"fields": ("target", "device_link", "address", "connected_at", "told")}),
        ("Lines", {"fields": ("lag", "oldest", "sent_shown", "dropped_shown", "cut_shown")}),
    )

    def overview(self, row: Forward, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return how it does, and what stands in the way."""
        state = row.state_word
        return Overview(headline=word(state.tone, str(state.label)), sentence=row.error)

    @display(description="device", ordering="device__nickname")
    def device_link(self, forward: Forward) -> SafeString:
        """Return the device whose lines are forwarded."""
        return link(forward.device)

    @display(description="state", ordering="state")
    def state_shown(self, forward: Forward) -> SafeString:
        """Return how it does, as a word."""
        return word(forward.state_word.tone, str(forward.state_word.label))

    @display(description="waits", ordering="lag_lines")
    def lag(self, forward: Forward) -> str:
        """Return how much is still to be sent."""
        return lag_of(forward)

    @display(description="oldest came", ordering="oldest_at")
    def oldest(self, forward: Forward) -> SafeString:
        """Return when the oldest line that waits came."""
        return ago(forward.oldest_at, now=timezone.now(), never=_NONE)

    @display(description="sent", ordering="sent")
    def sent_shown(self, forward: Forward) -> str:
        """Return how many lines were sent."""
        return count(forward.sent)

    @display(description="dropped", ordering="dropped")
    def dropped_shown(self, forward: Forward) -> SafeString | str:
        """Return how many lines waited so long that they were let go."""
        return dropped_of(forward)

    @display(description="cut", ordering="cut")
    def cut_shown(self, forward: Forward) -> str:
        """Return how many lines were too long for the target."""
        return count(forward.cut)

    @display(description="told", ordering="reported_at")
    def told(self, forward: Forward) -> SafeString:
        """Return when its forwarder told last."""
        return ago(forward.reported_at, now=timezone.now())

    @display(description="error")
    def error_line(self, forward: Forward) -> str:
        """Return the beginning of what stands in the way."""
        return shortened(forward.error)


def lag_of(forward: Forward) -> str:
    """Return how much is still to be sent."""
    if not forward.lag_lines and not forward.lag_bytes:
        return "nothing"
    return f"{count(forward.lag_lines)} lines, {size(forward.lag_bytes)}"


def dropped_of(forward: Forward) -> SafeString | str:
    """Return how many lines were let go; in a tone where there are any."""
    return word("danger", count(forward.dropped)) if forward.dropped else count(0)


def forwards_table(forwards: Iterable[Forward], *, now: datetime) -> SafeString:
    """Return where the lines of one device are forwarded, for its page."""
    return table(
        ("Forwarded to", "State", "Waits", "Oldest came", "Sent", "Dropped", "Error"),
        (
            (
                link(one, one.target),
                word(one.state_word.tone, str(one.state_word.label)),
                lag_of(one),
                ago(one.oldest_at, now=now, never=_NONE),
                count(one.sent),
                dropped_of(one),
                shortened(one.error),
            )
            for one in forwards
        ),
        empty="",
    )
