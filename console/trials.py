"""Trying a source in the console: what came, beside a form that stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.html import format_html_join
from django.views.decorators.http import require_POST

from netsets.entries import NO_LINE
from policies.admin.base import Overview, Panel
from policies.models import Source
from policies.services.rows import Refused
from policies.services.trial import Addresses, Contents, Trial
from policies.services.try_source import try_source
from policies.sources import SOURCES
from policies.words import NOTHING, addresses, count, table, word

NAMED = 8  # items of one line that are told one by one


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
    if not request.user.has_perm("policies.add_source"):
        raise PermissionDenied
    return _try_form(request, held=None)


@require_POST
def try_held(request: HttpRequest, pk: int) -> HttpResponse:
    """Try a source with what its form says now; secrets not typed are those it holds."""
    if not request.user.has_perm("policies.change_source"):
        raise PermissionDenied
    return _try_form(request, held=get_object_or_404(Source, pk=pk))


def trial_page(request: HttpRequest, run: Callable[[], Trial]) -> HttpResponse:
    """Run a trial and return the page that tells how it ended."""
    try:
        told = overview_of(run())
    except Refused as refused:
        told = Overview(headline=word("danger", "not tried"), sentence=str(refused))
    context = {**admin.site.each_context(request), "title": "Trial of a source", "trial": told}
    return TemplateResponse(request, "console/trial.html", context)


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
    contents = trial.contents
    if contents is None:
        tone, text = ("warning", "unavailable") if trial.may_help_later else ("danger", "refused")
        later = " Trying again later may help." if trial.may_help_later else ""
        return Overview(headline=word(tone, text), sentence=f"{trial.error}{later}")  # type: ignore[arg-type]
    who = f" from {contents.server}" if contents.server else ""
    return Overview(
        headline=word("success", "the list came"),
        sentence=f"{_entries(contents.entries)}{who} in {trial.seconds:.1f} s. Nothing is kept of "
        "it, and nothing was changed.",
        top=(
            Panel("What is in it", table(("", ""), _facts(contents), empty="")),
            Panel("First entries, by address", _sample(contents)),
            Panel("What other lists have too", _overlaps(contents)),
        ),
    )


def _facts(contents: Contents) -> Iterator[tuple[str, object]]:
    yield "Addresses", f"{_addresses(contents.addresses)}, in {count(contents.prefixes)} prefixes"
    yield "Widest prefix", ", ".join(map(str, contents.widest)) or NOTHING
    yield "Only in this list", _only_here(contents)
    if contents.warnings:
        yield "A guard would hold it", format_html_join("", "<p>{}</p>", _each(contents.warnings))
    if contents.special_entries:
        special = f"{_entries(contents.special_entries)} ({_addresses(contents.special)})"
        yield (
            "Private or special-purpose",
            f"{special}: cut from every policy whose guard does not keep them",
        )
    if contents.critical:
        services = [f"{one.label} ({count(one.addresses)})" for one in contents.critical]
        yield "Critical services in it", f"{_named(services)}: a policy leaves them reachable"
    if contents.rejects:
        reasons = ", ".join(f"{count(number)} {reason}" for reason, number in contents.rejects)
        yield "Cannot be read", f"{reasons}; such as {_named(contents.reject_samples)}"
    if contents.host_bits_cleared:
        cleared = _entries(contents.host_bits_cleared)
        yield "Host bits cleared", f"{cleared}, such as 192.0.2.1/24, taken as 192.0.2.0/24"
    if contents.not_compared:
        yield "Not compared with", _named(contents.not_compared)


def _only_here(contents: Contents) -> str:
    if not contents.compared:
        return "All of it: the site holds no other list yet"
    entries = f"{count(contents.entries_only_here)} of {_entries(contents.entries)}"
    lists = "1 other list" if contents.compared == 1 else f"{contents.compared} other lists"
    return f"{entries} ({_addresses(contents.only_here)}), beside {lists}"


def _sample(contents: Contents) -> Any:
    return table(
        ("Line", "Entry"),
        (
            (NOTHING if one.line == NO_LINE else count(one.line), str(one.span))
            for one in contents.sample
        ),
        empty="It holds no entry.",
    )


def _overlaps(contents: Contents) -> Any:
    return table(
        ("List", "Addresses in common", "Share of this list", "Entries it has too"),
        (
            (
                one.name,
                _addresses(Addresses(one.addresses4, one.addresses6)),
                f"{100 * one.share4:.1f} % IPv4, {100 * one.share6:.1f} % IPv6",
                count(one.entries),
            )
            for one in contents.overlaps
        ),
        empty="No other list has any of its addresses.",
    )


def _addresses(number: Addresses) -> str:
    return addresses({"addresses4": number.v4, "addresses6": number.v6})


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{count(number)} entries"


def _named(items: list[str] | tuple[str, ...]) -> str:
    more = len(items) - NAMED
    return ", ".join(items[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _each(texts: tuple[str, ...]) -> Iterator[tuple[str]]:
    return ((text,) for text in texts)
