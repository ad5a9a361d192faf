from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, F, IntegerField, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from devices.admin.feed import LINES_SHOWN, previews_of
from devices.admin.filters import GroupFilter, HealthFilter, PolicyFilter, with_health
from devices.admin.forms import DeviceForm, fieldsets_of, kind_named
from devices.admin.kernel import kernel_panel
from devices.admin.left_out import left_out_file, packed_panels
from devices.admin.story import feeds_panel, pulls_panel, served_panel
from devices.health import health_of, last_seen
from devices.kinds import KINDS
from devices.kinds.base import Kind
from devices.models import Device
from devices.services import DeviceRefused, configure_device, remove_device
from devices.services.manage import SECRETS
from devices.services.own_policy import lists_of
from policies.admin.base import Button, Overview, actor_of
from policies.admin.story import alarms_panels, changes_panels
from policies.admin.writes import UpdatingAdmin
from policies.models import Policy, Snapshot
from policies.tasks import nudge
from policies.words import ago, count, link, word

_NO_LIMIT = 2**31 - 1  # the most a column of entries holds
_PULLS = "Fetches its lists here as feeds, and drops what they name."
_GATEWAY = "Its own kernel drops what is listed; an enforcer that runs on it loads the lists."


@admin.register(Device)
class DeviceAdmin(UpdatingAdmin):
    """The pages of devices.

    `console.admin` registers a subclass in its place, with what enforcement and logs add: those
    apps stand on this one, which knows nothing of them.
    """

    form = DeviceForm
    form_has_own_fields = True
    refusals = (DeviceRefused,)
    list_display = (
        "name", "type", "health", "policy_shown", "snapshot", "entries", "last_seen",
        "address",
    )  # fmt: skip
    list_filter = (HealthFilter, PolicyFilter, GroupFilter, "kind", "policy_updates")
    search_fields = ("nickname", "device_id", "management_ip", "note", "policy__name")
    search_help_text = "Name, device ID, address, note or policy"
    ordering = ("nickname", "id")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the settings by purpose; who may only look is shown no secret."""
        kind = kind_named(obj.kind if obj else _asked_kind(request))
        may_write = obj is None or self.has_change_permission(request, obj)
        return fieldsets_of(kind, without=() if may_write else SECRETS)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask for the settings of one kind; the others are a link away."""
        kinds = _kinds(chosen=kind_named(_asked_kind(request)))
        return super().add_view(request, form_url, {"kinds": kinds, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Device]:
        """Return the devices with what the list says of each, in a fixed number of queries."""
        devices = with_health(super().get_queryset(request))
        return devices.annotate(
            served_pk=_served("pk"),
            served_number=_served("number"),
            served_entries=_served("entries"),
        )

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and those that show a device's feeds and what they leave out."""
        feed = self.admin_site.admin_view(self.feed_view)
        left_out = self.admin_site.admin_view(self.left_out_view)
        return [
            path("<int:pk>/feed/", feed, name="devices_device_feed"),
            path("<int:pk>/left-out/", left_out, name="devices_device_left_out"),
            *self.deed_paths({"hold": False, "follow": True}, self.hold_view),
            *super().get_urls(),
        ]

    def left_out_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Give every prefix that a small device does not get, as a file."""
        return left_out_file(self._seen(request, pk))

    def _seen(self, request: HttpRequest, pk: int) -> Device:
        """Return a device that the person may see; raises PermissionDenied, Http404."""
        device: Device | None = self.get_object(request, str(pk))
        if not self.has_view_or_change_permission(request, device):
            raise PermissionDenied
        if device is None:
            raise Http404(f"There is no device {pk}.")
        return device

    def _changeable(self, request: HttpRequest, pk: int) -> Device:
        """Return a device that the person may change; raises PermissionDenied, Http404."""
        device = self._seen(request, pk)
        if not self.has_change_permission(request, device):
            raise PermissionDenied
        return device

    def feed_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what is served to a device: numbers, digests and the first lines."""
        device = self._seen(request, pk)
        if device.is_gateway:
            raise Http404(f"{device} is a gateway: it pulls no feeds.")
        context = {
            **self.admin_site.each_context(request),
            "title": f"Feeds of {device}",
            "opts": self.opts,
            "original": device,
            "device": device,
            "previews": previews_of(device),
            "lines_shown": LINES_SHOWN,
        }
        return TemplateResponse(request, "console/feed.html", context)

    def policy_of(self, row: Device) -> Policy:
        """Return the policy it follows."""
        return row.policy

    def remove(self, row: Device, *, actor: str, now: datetime) -> None:
        """Remove the device."""
        remove_device(device=row, actor=actor, now=now)

    def overview(self, row: Any, request: HttpRequest) -> Overview:
        """Return the health, what is served and where it goes, and who fetched it."""
        now = timezone.now()
        health = health_of(row, now=now)
        headline = word(health.tone, health.label)
        if row.is_sample:
            headline = format_html("{} {}", headline, word("info", "sample"))
        subject = self.subject_of(row)
        return Overview(
            headline=headline,
            sentence=health.detail,
            buttons=(*self.update_buttons(row, request), *self._hold_buttons(row, request)),
            top=(
                *alarms_panels([subject, f"policy {row.policy}"], request, now=now),
                served_panel(row, now=now),
                kernel_panel(row, now=now) if row.is_gateway else feeds_panel(row),
                *packed_panels(row),
            ),
            bottom=(
                *(() if row.is_gateway else [pulls_panel(row, now=now)]),
                *changes_panels(subject, request, now=now),
            ),
            has_settings=self.has_change_permission(request, row),
        )

    def _hold_buttons(self, row: Device, request: HttpRequest) -> tuple[Button, ...]:
        """Return what keeps a device at what it has, or lets it follow its policy again."""
        if not self.has_change_permission(request, row):
            return ()
        if row.policy_updates:
            url = self._url("hold", row)
            return (Button("Pause updates", url, "pause", is_post=True, is_quiet=True),)
        return (Button("Resume updates", self._url("follow", row), "play_arrow", is_post=True),)

    def hold_view(self, request: HttpRequest, pk: int, deed: bool) -> HttpResponse:  # noqa: FBT001
        """Turn the policy updates of a device on or off, as `deed` says, and go back."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        device = self._changeable(request, pk)
        try:
            configure_device(
                device=device,
                changes={"policy_updates": deed},
                actor=actor_of(request),
                now=timezone.now(),
            )
        except DeviceRefused as refused:
            messages.error(request, str(refused))
        else:
            stays = "it follows its policy again" if deed else "what it is served now stays"
            messages.success(request, f"{device}: {stays}.")
        nudge()
        return HttpResponseRedirect(self.page_of(pk))

    @display(description="device", ordering="nickname")
    def name(self, device: Device) -> SafeString | str:
        """Return the nickname, and that it is the sample."""
        if not device.is_sample:
            return device.nickname
        return format_html("{} {}", device.nickname, word("info", "sample"))

    @display(description="type", ordering="kind")
    def type(self, device: Device) -> str:
        """Return the kind as people say it."""
        return KINDS[device.kind].label if device.kind in KINDS else device.kind

    @display(description="health")
    def health(self, device: Device) -> SafeString:
        """Return the health as a word; its sentence is the title."""
        said = health_of(device, now=timezone.now())
        return format_html('<span title="{}">{}</span>', said.detail, word(said.tone, said.label))

    @display(description="policy", ordering="policy__name")
    def policy_shown(self, device: Device) -> SafeString:
        """Return the policy it follows."""
        return link(device.policy, "its own" if device.policy.is_private else "")

    @display(description="snapshot", ordering="served_number")
    def snapshot(self, device: Any) -> SafeString:
        """Return the snapshot it is served."""
        if device.served_pk is None:
            return link(None)
        return link(Snapshot(pk=device.served_pk), f"#{device.served_number}")

    @display(description="entries", ordering="served_entries")
    def entries(self, device: Any) -> str:
        """Return how many entries that has."""
        return count(device.served_entries)

    @display(description="last seen", ordering=Coalesce("gateway__checked_at", "last_pull_at"))
    def last_seen(self, device: Device) -> SafeString:
        """Return when it fetched a feed, or its kernel was read back, last."""
        return ago(last_seen(device), now=timezone.now())

    @display(description="address", ordering="management_ip")
    def address(self, device: Device) -> str:
        """Return its management address, or the machine that enforces."""
        return device.node or device.management_ip or ""

    # For people who may only look: what the form asks for and is no column.
    @display(description="Block list name")
    def block_list(self, device: Device) -> str:
        """Return the name of its block list."""
        return lists_of(device).block_list

    @display(description="Allow list name")
    def allow_list(self, device: Device) -> str:
        """Return the name of its allow list."""
        return lists_of(device).allow_list

    @display(description="DNS servers")
    def dns_server(self, device: Device) -> str:
        """Return the servers its lists are asked of."""
        return ", ".join(lists_of(device).dns_server) or "the site's own"

    @display(description="DNS port")
    def dns_port(self, device: Device) -> int:
        """Return the port its lists are asked at."""
        return lists_of(device).dns_port


def _served(column: str) -> Case:
    """Return `Device.published` as SQL: pinned while updates are off, else the newest that fits."""
    most = Coalesce(OuterRef("max_policy_size"), _NO_LIMIT)
    fitting = Snapshot.objects.filter(policy=OuterRef("policy")).fitting(most)
    newest = Subquery(fitting.order_by("-number").values(column)[:1])
    pinned = F(f"pinned_snapshot__{column}")
    return Case(
        When(policy_updates=False, then=pinned), default=newest, output_field=IntegerField()
    )


def _asked_kind(request: HttpRequest) -> str:
    return request.POST.get("kind") or request.GET.get("kind", "")


def _kinds(*, chosen: Kind) -> list[dict[str, object]]:
    """Return the kinds of device to choose from, for the page."""
    return [
        {
            "name": kind.name,
            "label": kind.label,
            "sentence": _GATEWAY if kind.is_gateway else _PULLS,
            "is_chosen": kind == chosen,
        }
        for kind in KINDS.values()
    ]
