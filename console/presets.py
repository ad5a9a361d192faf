"""The catalogue of presets: looked at, tried, and added in two clicks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from console.pages import framed
from console.trials import trial_page
from policies.admin.base import actor_of
from policies.models import Policy, Source
from policies.presets import CATALOGUE, DAY, HOUR, Preset
from policies.services.add_preset import (
    KIND,
    Offered,
    add_preset,
    catalogue,
    preset_settings,
    source_of,
)
from policies.services.rows import Refused
from policies.services.try_source import try_source
from policies.states import Role
from policies.tasks import nudge
from policies.words import count, link, table, word


class PresetForm(forms.Form):
    """What a person says of a preset: what it needs, and the policy that takes it."""

    policy = forms.ModelChoiceField(
        queryset=Policy.objects.filter(is_private=False).order_by("name", "id"),
        required=False,
        empty_label="none yet: it is not retrieved until a policy takes it",
        widget=UnfoldAdminSelectWidget(),
        label="Policy that takes it",
    )
    role = forms.ChoiceField(
        choices=Role.choices, required=False, widget=UnfoldAdminSelectWidget(), label="To"
    )

    def __init__(self, preset: Preset, *, may_change_policy: bool, data: Any = None) -> None:
        """Ask for what the preset needs; a policy is a choice of who may change one."""
        super().__init__(data, initial={"role": preset.serves})
        self.needs = preset.needs
        for name in preset.needs:
            self.fields[name] = forms.CharField(
                max_length=4096,
                required=False,
                widget=UnfoldAdminPasswordWidget(),
                label=name.replace("_", " ").capitalize(),
                help_text="Yours, from the publisher. It is kept encrypted and never shown.",
            )
        if not may_change_policy:
            del self.fields["policy"], self.fields["role"]

    def brought(self) -> dict[str, object]:
        """Return the settings that the person brought; call it once the form is valid."""
        return {name: self.cleaned_data[name] for name in self.needs if self.cleaned_data[name]}


@require_GET
def presets_page(request: HttpRequest) -> HttpResponse:
    """Show the catalogue, and which of it the site has."""
    _need(request, "view_source")
    may_add = request.user.has_perm("policies.add_source")
    context = {"catalogue": _catalogue(may_add=may_add)}
    return framed(request, "console/presets.html", "Presets", context)


@require_http_methods(["GET", "POST"])
def preset_page(request: HttpRequest, key: str) -> HttpResponse:
    """Show one preset; a POST adds it, and goes to the page of its source."""
    _need(request, "view_source")
    preset = _preset(key)
    form = _form(request, preset)
    if request.method == "POST":
        _need(request, "add_source")
        source = _added(request, preset, form)
        if source is not None:
            url = reverse("admin:policies_source_change", args=[source.pk])
            return HttpResponseRedirect(url)
    context = {
        "preset": preset,
        "facts": _facts(preset, source_of(preset)),
        "form": form,
        "may_add": request.user.has_perm("policies.add_source"),
    }
    return framed(request, "console/preset.html", preset.name, context)


@require_POST
def try_preset(request: HttpRequest, key: str) -> HttpResponse:
    """Try a preset with what the form brings; nothing is added."""
    _need(request, "add_source")
    preset = _preset(key)
    form = _form(request, preset)
    form.is_valid()
    held = source_of(preset)
    return trial_page(
        request,
        lambda: try_source(
            kind=KIND,
            settings=preset_settings(preset, form.brought()),
            # The secrets it holds are used by whoever may change it.
            held=held if request.user.has_perm("policies.change_source") else None,
            may_be_empty=preset.may_be_empty,
        ),
    )


def _form(request: HttpRequest, preset: Preset) -> PresetForm:
    may = request.user.has_perm("policies.change_policy")
    data = request.POST if request.method == "POST" else None
    return PresetForm(preset, may_change_policy=may, data=data)


def _added(request: HttpRequest, preset: Preset, form: PresetForm) -> Source | None:
    """Add the preset and say so; None where the form or the service refuses."""
    if not form.is_valid():
        return None
    policy, role = form.cleaned_data.get("policy"), form.cleaned_data.get("role")
    try:
        source = add_preset(
            preset=preset,
            settings=form.brought(),
            policy=policy,
            role=Role(role) if role else None,
            actor=actor_of(request),
            now=timezone.now(),  # noqa: TID251  an edge
        )
    except Refused as refused:
        form.add_error(None, str(refused))
        return None
    nudge()
    taken = (
        f"Policy {policy} takes it: it is retrieved within seconds."
        if policy is not None
        else "It is retrieved once a policy takes it."
    )
    messages.success(request, f"{source} is added. {taken}")
    return source


def _need(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(f"policies.{permission}"):
        raise PermissionDenied


def _preset(key: str) -> Preset:
    if key not in CATALOGUE:
        raise Http404(f"There is no preset {key}.")
    return CATALOGUE[key]


def _catalogue(*, may_add: bool) -> SafeString:
    return table(
        ("Preset", "What it lists", "Terms", "Refresh", ""),
        (
            (
                _name(one.preset),
                _lists(one.preset),
                one.preset.licence,
                _every(one.preset.refresh_minutes),
                _deed(one, may_add=may_add),
            )
            for one in catalogue()
        ),
        empty="",
    )


def _name(preset: Preset) -> SafeString:
    size = count(preset.entries)
    return format_html(
        '<b>{}</b><br><span class="quiet">to {}, about {}</span>', preset.name, preset.serves, size
    )


def _lists(preset: Preset) -> SafeString:
    if not preset.caution:
        return format_html("{}", preset.lists)
    return format_html('{} <span class="quiet">{}</span>', preset.lists, preset.caution)


def _deed(offered: Offered, *, may_add: bool) -> SafeString:
    url = reverse("console:preset", args=[offered.preset.key])
    if offered.source is not None:
        return format_html("{} {}", word("success", "added"), link(offered.source, "Source"))
    text = "Add…" if may_add else "Look"
    return format_html('<a class="button" href="{}">{}</a>', url, text)


def _facts(preset: Preset, source: Source | None) -> SafeString:
    facts: list[tuple[str, object]] = [
        ("What it lists", preset.lists),
        ("From", preset.url),
        ("Terms, in our words", preset.licence),
        ("Refresh", _every(preset.refresh_minutes)),
        ("Entries, about", count(preset.entries)),
    ]
    if preset.caution:
        facts.append(("Caution", preset.caution))
    if preset.may_be_empty:
        facts.append(("Empty", "An empty list is taken as meant."))
    if source is not None:
        added = format_html("{} {}", word("success", "added"), link(source))
        facts.append(("On this site", added))
    return table(("", ""), facts, empty="")


def _every(minutes: int) -> str:
    if minutes == DAY:
        return "daily"
    return "hourly" if minutes == HOUR else f"every {minutes // HOUR} hours"
