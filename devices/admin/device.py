from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Case, F, IntegerField, OuterRef, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from devices.admin.feed import LINES_SHOWN, previews_of, urls_of
from devices.admin.filters import HealthFilter, PolicyFilter, with_health
from devices.admin.forms import DeviceForm, fieldsets_of, kind_named
from devices.admin.kernel import kernel_panel
from devices.admin.left_out import left_out_file, packed_panels
from devices.admin.pull import answer_of
from devices.health import health_of, last_seen
from devices.kinds import KINDS
from devices.kinds.base import Kind
from devices.models import Device
from devices.services import DeviceRefused, remove_device
from devices.services.manage import SECRETS, lists_of
from policies.admin.base import Button, Overview, Panel, actor_of
from policies.admin.writes import UpdatingAdmin
from policies.models import Policy, Snapshot
from policies.words import ago, count, link, table, word

PULLS_SHOWN = 20
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
    refusals = (DeviceRefused,)
    list_display = (
        "name", "type", "health", "policy_shown", "snapshot", "entries", "last_seen",
        "address",
    )  # fmt: skip
    list_filter = (HealthFilter, PolicyFilter, "kind", "policy_updates")
    search_fields = ("nickname", "device_id", "management_ip", "note", "policy__name")
    search_help_text = "Name, device ID, address, note or policy"
    ordering = ("nickname", "id")

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,  # noqa: ARG002
        change: bool = False,  # noqa: ARG002, FBT001, FBT002  Django's signature
        **_fields: Any,
    ) -> Any:
        """Return the form; its fields come from the kind, not from the columns."""
        told = {"actor": actor_of(request), "now": timezone.now()}
        return type("DeviceForm", (DeviceForm,), told)

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
            *super().get_urls(),
        ]

    def deed_paths(
        self, deeds: Mapping[str, Callable[..., object]], view: Callable[..., HttpResponse]
    ) -> list[URLPattern]:
        """Return an address for each deed by its verb; `view` is given the deed."""
        return [
            path(
                f"<int:pk>/{verb}/",
                self.admin_site.admin_view(view),
                {"deed": deed},
                name=f"devices_device_{verb}",
            )
            for verb, deed in deeds.items()
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
        return Overview(
            headline=headline,
            sentence=health.detail,
            buttons=(*self.update_buttons(row, request), *_feed_buttons(row)),
            top=(
                kernel_panel(row, now=now) if row.is_gateway else Panel("Feed URLs", _urls(row)),
                Panel("Published", self._published(row, now=now)),
            ),
            bottom=(*packed_panels(row), *_pull_panels(row, now=now)),
        )

    def _published(self, row: Any, *, now: datetime) -> SafeString:
        facts: list[tuple[str, object]] = [
            ("Policy", link(row.policy)),
            ("Snapshot", self.snapshot(row)),
            ("Entries", self.entries(row)),
        ]
        if not row.is_gateway:
            facts.append(("Last pull", ago(row.last_pull_at, now=now)))
        return table([title for title, _ in facts], [[fact for _, fact in facts]], empty="")

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


def _feed_buttons(device: Device) -> tuple[Button, ...]:
    if device.is_gateway:
        return ()
    url = reverse("admin:devices_device_feed", args=[device.pk])
    return (Button("Show feed", url, "list_alt"),)


def _urls(device: Device) -> SafeString:
    return format_html_join(
        "",
        '<div class="copyline"><span class="copyline-name">{}</span><code id="url-{}">{}</code>'
        '<button type="button" class="copy" data-copy="url-{}">Copy</button></div>',
        ((f"{role.capitalize()} list", role, url, role) for role, url in urls_of(device).items()),
    )


def _pull_panels(device: Device, *, now: datetime) -> tuple[Panel, ...]:
    return () if device.is_gateway else (Panel("Recent pulls", _pulls(device, now=now)),)


def _pulls(device: Device, *, now: datetime) -> SafeString:
    pulls = device.pulls.order_by("-at", "-id")[:PULLS_SHOWN]
    return table(
        ("When", "Client", "File", "Answer", "Snapshot", "Bytes"),
        (
            (
                ago(pull.at, now=now),
                pull.client,
                pull.file,
                answer_of(pull),
                count(pull.snapshot_number),
                count(pull.sent),
            )
            for pull in pulls
        ),
        empty="Nobody has fetched a feed of this device yet. Enter the feed URLs in the firewall.",
    )
