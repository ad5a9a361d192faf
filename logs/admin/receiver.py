from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from logs.admin.parts import size, whole
from logs.models import Receiver
from logs.reports.counters import Counter, explained
from logs.reports.receivers import ReceiverState, receiver_state
from logs.services import ReceiverRefused, forget_receiver
from policies.admin.base import Button, Overview, Panel, ReadOnlyAdmin, actor_of
from policies.words import NOTHING, ago, count, table, word

_SENTENCES: dict[ReceiverState, str] = {
    ReceiverState.RUNNING: "It takes lines.",
    ReceiverState.TROUBLED: "",
    ReceiverState.STOPPED: "It was stopped: no line comes in there until it is started again.",
    ReceiverState.SILENT: "It tells nothing any more and was not stopped: see receiver.log there.",
}
_GONE = (ReceiverState.STOPPED, ReceiverState.SILENT)


@admin.register(Receiver)
class ReceiverAdmin(ReadOnlyAdmin):
    list_display = (
        "node", "state_shown", "listens_at", "since", "told", "messages_shown", "refused_shown",
        "drops_shown", "room_shown",
    )  # fmt: skip
    search_fields = ("node",)
    search_help_text = "Machine"
    ordering = ("node", "id")
    fieldsets = ((None, {"fields": ("node", "listens_at", "started_at", "reported_at")}),)

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and the deed."""
        view = self.admin_site.admin_view(self.forget_view)
        return [path("<int:pk>/forget/", view, name="logs_receiver_forget"), *super().get_urls()]

    def forget_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Forget a receiver that is to run no more."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("logs.delete_receiver"):
            raise PermissionDenied
        row = get_object_or_404(Receiver, pk=pk)
        try:
            forget_receiver(receiver=row, actor=actor_of(request), now=timezone.now())
        except ReceiverRefused as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(reverse("admin:logs_receiver_change", args=[pk]))
        messages.success(request, f"The receiver of {row.node} is forgotten.")
        return HttpResponseRedirect(reverse("admin:logs_receiver_changelist"))

    def overview(self, row: Receiver, request: HttpRequest) -> Overview:
        """Return how it does, and what its counters mean."""
        state = receiver_state(row, now=timezone.now())
        forget = Button(
            "Forget it", reverse("admin:logs_receiver_forget", args=[row.pk]), "delete",
            is_post=True, is_quiet=True,
        )  # fmt: skip
        may = state in _GONE and request.user.has_perm("logs.delete_receiver")
        return Overview(
            headline=word(state.tone, str(state.label)),
            sentence=f"{_SENTENCES[state]} {row.trouble}".strip(),
            buttons=(forget,) if may else (),
            top=(Panel("Counted since it started", counters_table(row.counters)),),
        )

    @display(description="state")
    def state_shown(self, receiver: Receiver) -> SafeString:
        """Return how it does, as a word; its trouble is the title."""
        state = receiver_state(receiver, now=timezone.now())
        shown = word(state.tone, str(state.label))
        return format_html('<span title="{}">{}</span>', receiver.trouble, shown)

    @display(description="listens at")
    def listens_at(self, receiver: Receiver) -> SafeString:
        """Return where it really listens."""
        lines = format_html_join(
            "", '<div class="whole"><code>{}</code></div>', ((o,) for o in receiver.listeners)
        )
        return lines or format_html("{}", "nowhere")

    @display(description="since", ordering="started_at")
    def since(self, receiver: Receiver) -> SafeString:
        """Return when it started."""
        return ago(receiver.started_at, now=timezone.now())

    @display(description="told last", ordering="reported_at")
    def told(self, receiver: Receiver) -> SafeString:
        """Return when it told last."""
        return ago(receiver.reported_at, now=timezone.now())

    @display(description="messages")
    def messages_shown(self, receiver: Receiver) -> str:
        """Return how many messages came."""
        return count(receiver.counters.get("messages"))

    @display(description="refused lines")
    def refused_shown(self, receiver: Receiver) -> str:
        """Return how many lines came from nobody we know."""
        return count(receiver.counters.get("refused_lines"))

    @display(description="kernel drops")
    def drops_shown(self, receiver: Receiver) -> SafeString | str:
        """Return how many datagrams the kernel dropped."""
        drops = receiver.kernel_drops
        return word("danger", count(drops)) if drops else count(drops)

    @display(description="room for UDP")
    def room_shown(self, receiver: Receiver) -> str:
        """Return how much the kernel keeps for datagrams that were not read yet."""
        return size(receiver.counters.get("receive_bytes"))


def counters_table(counters: Mapping[str, Any]) -> SafeString:
    """Return counters, each with its meaning in plain words and what to do."""
    return table(
        ("Counter", "Value", "What it means"),
        (
            (whole(one.meaning.label), _value(one), one.sentence or NOTHING)
            for one in explained(counters)
        ),
        empty="It counted nothing yet.",
    )


def _value(counter: Counter) -> SafeString:
    shown = size(counter.value) if counter.meaning.is_bytes else count(counter.value)
    return whole(shown) if counter.tone == "neutral" else word(counter.tone, shown)
