"""Trying a source in the console: what came, beside a form that stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from console.hits import MAY_SEE
from console.pages import framed, require
from devices.reports.visible import device_ids
from logs.reports.event_files import ReportRefused
from logs.reports.replay_list import replay_list
from policies.admin.base import Overview, Panel
from policies.decoders.base import Decoded
from policies.models import Source
from policies.services.rows import Refused
from policies.services.trial import Contents, Trial
from policies.services.try_source import try_source
from policies.sources import SOURCES
from policies.trial_words import common, facts, line_of, sentence, share, state
from policies.visible import Person, visible
from policies.words import count, table, word


class TrialForm(forms.Form):
    """What a trial needs of the form of a source."""

    kind = forms.ChoiceField(choices=[(name, kind.label) for name, kind in SOURCES.items()])
    settings = forms.JSONField(required=False)
    may_be_empty = forms.BooleanField(required=False)

    def clean_settings(self) -> dict[str, object]:
        """Return the settings; raises ValidationError for what is no object."""
        settings = self.cleaned_data["settings"] or {}
        if not isinstance(settings, dict):
            raise forms.ValidationError('must be an object, such as {"name": "value"}')
        return settings


@require_POST
def try_new(request: HttpRequest) -> HttpResponse:
    """Try the source that a form describes."""
    require(request, "policies.add_source")
    return _try_form(request, held=None)


@require_POST
def try_held(request: HttpRequest, pk: int) -> HttpResponse:
    """Try a source with what its form says now; secrets not typed are those it holds."""
    require(request, "policies.change_source")
    return _try_form(
        request, held=get_object_or_404(visible(Source.objects.all(), request.user), pk=pk)
    )


def trial_page(request: HttpRequest, run: Callable[[], Trial]) -> HttpResponse:
    """Run a trial and return the page that tells how it ended."""
    try:
        trial = run()
        told = overview_of(trial)
        if trial.decoded is not None and request.user.has_perm(MAY_SEE):
            replayed = _replay(trial.decoded, seen_by=request.user)
            told = replace(told, top=(replayed, *told.top))
    except Refused as refused:
        told = Overview(headline=word("danger", "not tried"), sentence=str(refused))
    return framed(request, "console/trial.html", "Trial of a source", {"trial": told})


def _try_form(request: HttpRequest, *, held: Source | None) -> HttpResponse:
    form = TrialForm(request.POST)

    def run() -> Trial:
        if not form.is_valid():
            name, reasons = next(iter(form.errors.items()))
            raise Refused(f"{name}: {' '.join(map(str, reasons))}", setting=name)
        return try_source(**form.cleaned_data, held=held)

    return trial_page(request, run)


def overview_of(trial: Trial) -> Overview:
    """Return what a page says of a trial."""
    headline = word(*state(trial))
    contents = trial.contents
    if contents is None:
        return Overview(headline=headline, sentence=sentence(trial))
    return Overview(
        headline=headline,
        sentence=sentence(trial),
        top=(
            Panel("What is in it", table(("", ""), facts(contents), empty="")),
            Panel("First entries, by address", _sample(contents)),
            Panel("What other lists have too", _overlaps(contents)),
        ),
    )


def _replay(decoded: Decoded, *, seen_by: Person) -> Panel:
    """Return what the list would have dropped of what firewalls let through lately."""
    now = timezone.now()  # noqa: TID251  an edge
    title = "Replay: what it would have dropped in the last 7 days"
    try:
        told = replay_list(decoded, sees=device_ids(seen_by), now=now)
    except ReportRefused as refused:
        return Panel(title, format_html('<p class="text">{}</p>', str(refused)))
    hosts = ((row.key, count(row.connections), count(row.others)) for row in told.hosts)
    addresses = (
        (row.key, row.entry, count(row.connections), count(row.others)) for row in told.addresses
    )
    sentence = format_html(
        '<p class="text">{} {}</p>', word(told.told.tone, told.told.label), told.told.detail
    )
    if not told.hosts:
        return Panel(title, sentence)
    return Panel(title, format_html(
        "{}{}{}", sentence,
        table(("Inside host", "Connections", "Outside addresses"), hosts, empty=""),
        table(("Outside address", "Entry", "Connections", "Inside hosts"), addresses, empty=""),
    ))  # fmt: skip


def _sample(contents: Contents) -> SafeString:
    return table(
        ("Line", "Entry"),
        ((line_of(one), str(one.span)) for one in contents.sample),
        empty="It holds no entry.",
    )


def _overlaps(contents: Contents) -> SafeString:
    return table(
        ("List", "Addresses in common", "Share of this list", "Entries it has too"),
        (
            (
                one.name,
                common(one),
                share(one),
                count(one.entries),
            )
            for one in contents.overlaps
        ),
        empty="No other list has any of its addresses.",
    )
