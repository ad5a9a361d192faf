from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from devices.kinds.base import SettingRefused
from fleet.models import PolicyZone, Publication
from fleet.reports.visible import is_shared_beyond
from fleet.services.publications import publish_policy, unpublish_policy
from fleet.tasks import nudge
from fleet.zones import FORMS
from policies.admin.base import Overview, Panel
from policies.admin.story import changes_panels
from policies.admin.writes import ServiceAdmin, ServiceForm
from policies.models import Policy
from policies.services import Refused
from policies.words import NOTHING, ago, count, table, word


class PublicationForm(ServiceForm):
    """In what forms a policy is published, and for whom."""

    policy = forms.ModelChoiceField(Policy.objects.none(), widget=UnfoldAdminSelectWidget())
    by_address = forms.BooleanField(
        label="To known addresses too",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Not by key alone: devices whose public address is known may ask without one.",
    )
    networks = forms.CharField(
        required=False,
        max_length=5_000,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Further addresses and networks that may transfer, those of secondaries say, "
        "with commas between.",
    )
    # Last: the name hides that of the module.
    forms = forms.MultipleChoiceField(
        choices=[(name, form.label) for name, form in FORMS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    class Meta:
        model = Publication
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shared = Policy.objects.filter(is_private=False).only("name")
        self.offer("policy", shared.order_by("name"))
        row = self.instance
        if row.pk:
            self.initial.update(
                policy=row.policy_id, forms=row.forms, by_address=row.by_address,
                networks=", ".join(row.networks),
            )  # fmt: skip
            self.fields["policy"].disabled = True

    def write(self) -> Publication | None:
        """Publish it, or change how."""
        told = self.cleaned_data
        if not self.instance.pk and Publication.objects.filter(policy=told["policy"]).exists():
            self.refuse("policy", f"{told['policy']} is published already; change that.")
            return None
        networks = [one.strip() for one in told["networks"].replace(",", " ").split()]
        try:
            return publish_policy(
                policy=told["policy"],
                forms=told["forms"],
                by_address=told["by_address"],
                networks=networks,
                actor=self.actor,
                now=self.now,
            )
        except SettingRefused as refused:
            self.refuse(refused.setting, f"Use {refused.accepted}.")
        return None


@admin.register(Publication)
class PublicationAdmin(ServiceAdmin):
    form = PublicationForm
    refusals = (Refused,)
    list_display = ("policy_name", "label", "forms_shown", "zone_count", "written")
    search_fields = ("policy__name", "label")
    search_help_text = "Policy or label"
    ordering = ("policy__name", "id")
    fieldsets = ((None, {"fields": ("policy", "forms", "by_address", "networks")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Publication]:
        """Return the publications with their zones."""
        rows: QuerySet[Publication] = super().get_queryset(request)
        held = Count("zones")
        return rows.select_related("policy").prefetch_related("zones").annotate(zones_held=held)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:  # noqa: ARG002
        """Bring it to the primary; the row itself is written."""
        nudge()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for a policy that others follow too, whom the person does not see."""
        return super().has_change_permission(request, obj) and not _is_beyond(obj, request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for a policy that others follow too, whom the person does not see."""
        return super().has_delete_permission(request, obj) and not _is_beyond(obj, request)

    def subject_of(self, row: Any) -> str:
        """Return how the record names the policy."""
        return f"policy {row.policy.name}"

    def overview(self, row: Publication, request: HttpRequest) -> Overview:
        """Return its zones, and how each stands."""
        now = timezone.now()
        zones = list(row.zones.all())
        faults = [zone for zone in zones if zone.error]
        if faults:
            headline, sentence = word("danger", "not up to date"), faults[0].error
        elif not zones or any(zone.written_at is None for zone in zones):
            headline = word("info", "not written yet")
            sentence = "Its zones come to the primary within a minute."
        else:
            headline = word("success", "published")
            sentence = "Its zones hold the newest snapshot, or will."
        return Overview(
            headline=headline,
            sentence=sentence,
            top=(Panel("Zones", _zones(zones, now=now), name="zones"),),
            bottom=changes_panels(self.subject_of(row), request, now=now),
            has_settings=self.has_change_permission(request, row),
        )

    def remove(self, row: Publication, *, actor: str, now: datetime) -> None:
        """Take its zones off the primary."""
        unpublish_policy(publication=row, actor=actor, now=now)
        nudge()

    @display(description="policy", ordering="policy__name")
    def policy_name(self, row: Publication) -> str:
        """Return the policy."""
        return row.policy.name

    @display(description="forms")
    def forms_shown(self, row: Publication) -> str:
        """Return the forms."""
        return ", ".join(row.forms)

    @display(description="zones", ordering="zones_held")
    def zone_count(self, row: Any) -> str:
        """Return how many zones it has."""
        return count(row.zones_held)

    @display(description="written")
    def written(self, row: Publication) -> SafeString:
        """Return when one of its zones was written last, or that one is not up to date."""
        zones = row.zones.all()
        if any(zone.error for zone in zones):
            return word("danger", "not up to date")
        moments = [zone.written_at for zone in zones if zone.written_at is not None]
        return ago(max(moments, default=None), now=timezone.now())


def _is_beyond(row: Publication | None, request: HttpRequest) -> bool:
    return row is not None and is_shared_beyond(row.policy, request.user)


def _zones(zones: list[PolicyZone], *, now: datetime) -> SafeString:
    return table(
        ("Zone", "Form", "Lists", "Serial", "Snapshot", "Entries", "Written"),
        (
            (
                format_html("<code>{}</code>", zone.name),
                zone.form,
                zone.role,
                count(zone.serial),
                NOTHING if zone.snapshot_number is None else f"#{zone.snapshot_number:,}",
                count(zone.entries),
                word("danger", zone.error) if zone.error else ago(zone.written_at, now=now),
            )
            for zone in zones
        ),
        empty="Its zones come with the next publish, within a minute.",
    )
