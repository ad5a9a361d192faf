"""Addresses whose lines are refused: a person says whose they are, or that nobody wants them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.views import ChangeList

from devices.models import Device
from logs.admin.parts import size
from logs.models import Sender
from logs.reports.suggestions import Adopters, Suggestion
from logs.services import SenderRefused, adopt_sender, ignore_sender
from policies.admin.base import Button, Overview, Panel, ReadOnlyAdmin, actor_of
from policies.words import ago, count, shortened, word

# So many devices are offered in the list; the others on the sender's page.
OFFERED = 3
_MAY_SEE = "logs.view_sender"
_MAY_ADOPT, _MAY_IGNORE = "devices.change_device", "logs.change_sender"


class DecidedFilter(admin.SimpleListFilter):
    """Senders that a person is to decide about, or those that were set aside."""

    title = "decided"
    parameter_name = "decided"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the two."""
        return [("no", "to decide about"), ("ignored", "ignored")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Sender]) -> QuerySet[Sender]:  # noqa: ARG002
        """Return the senders that were chosen."""
        if self.value() not in {"no", "ignored"}:
            return queryset
        return queryset.filter(is_ignored=self.value() == "ignored")


class SenderList(ChangeList):
    """Senders, each with the devices that it may be."""

    def get_results(self, request: HttpRequest) -> None:
        """Work out the suggestions for the senders of this page."""
        super().get_results(request)
        adopters, rows = Adopters.seen_by(request.user), list(self.result_list)
        for row in rows:
            row.suggestions = adopters.of(row)
        self.result_list = rows


@admin.register(Sender)
class SenderAdmin(ReadOnlyAdmin):
    list_display = ("address", "lines_shown", "way", "last", "sample_line", "adopt", "set_aside")
    list_filter = (DecidedFilter,)
    search_fields = ("address", "sample")
    search_help_text = "Address or sample"
    ordering = ("is_ignored", "-last_at", "-id")
    fieldsets = (
        (None, {"fields": ("address", "lines_shown", "bytes_shown", "way", "first_at", "last_at")}),
    )

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and one address for each deed."""
        deeds = {"adopt": self.adopt_view, "ignore": self.ignore_view, "heed": self.heed_view}
        own = [
            path(f"<int:pk>/{verb}/", self.admin_site.admin_view(view), name=f"logs_sender_{verb}")
            for verb, view in deeds.items()
        ]
        return [*own, *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **_kwargs: Any) -> type[SenderList]:  # type: ignore[override]  # noqa: ARG002
        """Return the list that works out suggestions."""
        return SenderList

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns; the deeds for who may do them."""
        may = {"adopt": _MAY_ADOPT, "set_aside": _MAY_IGNORE}
        shown = super().get_list_display(request)
        return [name for name in shown if request.user.has_perm(may.get(str(name), _MAY_SEE))]

    def adopt_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make an address a source of the device that was chosen; go to that device."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        sender = self._decided(request, pk, _MAY_ADOPT)
        chosen = request.POST.get("device", "")
        key = int(chosen) if chosen.isdecimal() and len(chosen) < 19 else 0
        device = get_object_or_404(Device.objects.visible_to(request.user), pk=key)
        try:
            adopt_sender(sender=sender, device=device, actor=actor_of(request), now=timezone.now())
        except SenderRefused as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(reverse("admin:logs_sender_change", args=[pk]))
        messages.success(
            request,
            f"{sender.address} is a syslog source of {device} now: its lines are kept within "
            f"seconds.",
        )
        return HttpResponseRedirect(reverse("admin:devices_device_change", args=[device.pk]))

    def ignore_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Set a sender aside."""
        return self._ignore(request, pk, ignored=True)

    def heed_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Have a sender stand among those to decide about again."""
        return self._ignore(request, pk, ignored=False)

    def _ignore(self, request: HttpRequest, pk: int, *, ignored: bool) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        sender = self._decided(request, pk, _MAY_IGNORE)
        ignore_sender(sender=sender, actor=actor_of(request), now=timezone.now(), ignored=ignored)
        said = "ignored; it is refused all the same" if ignored else "to be decided about again"
        messages.success(request, f"{sender.address} is {said}.")
        return HttpResponseRedirect(reverse("admin:logs_sender_changelist"))

    def _decided(self, request: HttpRequest, pk: int, permission: str) -> Sender:
        """Return a sender that this person may decide about; raises PermissionDenied, Http404."""
        may_see = self.has_view_permission(request)
        if not (may_see and request.user.has_perm(permission)):
            raise PermissionDenied
        return get_object_or_404(Sender, pk=pk)

    def overview(self, row: Sender, request: HttpRequest) -> Overview:
        """Return what it sent, and the devices it may be."""
        headline = word("neutral", "ignored") if row.is_ignored else word("warning", "refused")
        sample = format_html('<div class="text"><code>{}</code></div>', row.sample or "nothing")
        panels = [Panel("The beginning of a line", sample)]
        if request.user.has_perm(_MAY_ADOPT):
            panels.append(_adopt_panel(row, request))
        return Overview(
            headline=headline,
            sentence="No device is known by this address, so its lines are not kept.",
            buttons=_buttons(row, request),
            top=panels,
        )

    @display(description="lines", ordering="lines")
    def lines_shown(self, sender: Sender) -> str:
        """Return how many lines were refused."""
        return count(sender.lines)

    @display(description="size", ordering="bytes")
    def bytes_shown(self, sender: Sender) -> str:
        """Return how much was refused."""
        return size(sender.bytes)

    @display(description="by")
    def way(self, sender: Sender) -> str:
        """Return how its lines came."""
        return ", ".join(transport.upper() for transport in sender.transports)

    @display(description="last line", ordering="last_at")
    def last(self, sender: Sender) -> SafeString:
        """Return when a line came last."""
        return ago(sender.last_at, now=timezone.now())

    @display(description="sample")
    def sample_line(self, sender: Sender) -> SafeString:
        """Return the beginning of one of its lines."""
        return format_html("<code>{}</code>", shortened(sender.sample, most=100))

    @display(description="whose is it?")
    def adopt(self, sender: Any) -> SafeString:
        """Return a button for each device that it may well be, and the way to the others."""
        if sender.is_ignored:
            return word("neutral", "ignored")
        return _adopt_buttons(sender, sender.suggestions)

    @display(description="")
    def set_aside(self, sender: Sender) -> SafeString:
        """Return the button that sets it aside, or takes it back."""
        verb, label = ("heed", "Decide again") if sender.is_ignored else ("ignore", "Ignore")
        url = reverse(f"admin:logs_sender_{verb}", args=[sender.pk])
        button = '<button type="submit" class="button" formaction="{}">{}</button>'
        return format_html(button, url, label)


def _adopt_buttons(sender: Sender, found: list[Suggestion]) -> SafeString:
    """Return buttons within the form of the list: each says where it is sent."""
    url = reverse("admin:logs_sender_adopt", args=[sender.pk])
    suited = [one for one in found if one.reason]
    offered = (suited or found if len(found) <= OFFERED else suited)[:OFFERED]
    buttons = format_html_join(
        " ",
        '<button type="submit" class="button" formaction="{}" name="device" value="{}" title="{}">'
        "Adopt for {}</button>",
        ((url, one.device.pk, one.reason, one.device) for one in offered),
    )
    if len(offered) == len(found):
        return buttons or format_html("{}", "Add a device first")
    page = reverse("admin:logs_sender_change", args=[sender.pk])
    label = "Another device" if offered else "Choose a device"
    more = '<span class="adopt">{} <a class="text-link" href="{}">{}</a></span>'
    return format_html(more, buttons, page, label)


def _adopt_panel(sender: Sender, request: HttpRequest) -> Panel:
    found = Adopters.seen_by(request.user).of(sender)
    context = {
        "sender": sender,
        "suited": [one for one in found if one.reason],
        "others": [one.device for one in found if not one.reason],
        "url": reverse("admin:logs_sender_adopt", args=[sender.pk]),
    }
    return Panel("Whose is it?", render_to_string("console/adopt.html", context, request))


def _buttons(sender: Sender, request: HttpRequest) -> tuple[Button, ...]:
    if not request.user.has_perm(_MAY_IGNORE):
        return ()
    verb, label, icon = (
        ("heed", "Decide again", "undo") if sender.is_ignored else ("ignore", "Ignore", "block")
    )
    url = reverse(f"admin:logs_sender_{verb}", args=[sender.pk])
    return (Button(label, url, icon, is_post=True, is_quiet=True),)
