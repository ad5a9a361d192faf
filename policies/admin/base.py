"""What all admin pages share: panels, history, read-only pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from policies.admin.pages import FirstRows
from policies.models import Change
from policies.states import Tone
from policies.visible import visible
from policies.words import said, table

HISTORY_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Button:
    """Something to do from a row's page: a link, or a POST where it changes anything."""

    label: str
    url: str
    icon: str
    is_post: bool = False
    is_quiet: bool = False  # a POST that is not what most come for


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled part of a page that is no form."""

    title: str
    body: SafeString
    tone: Tone = "neutral"
    name: str = ""  # by which a page orders its panels, and links lead to it
    is_half: bool = False  # half as wide as the page, where that is wide
    more: SafeString | str = ""  # a link beside the title


@dataclass(frozen=True, slots=True)
class Overview:
    """What a row's page says before and after its form."""

    headline: SafeString | None = None  # the state as a word
    sentence: str = ""  # what it means and what to do
    buttons: Sequence[Button] = ()
    top: Sequence[Panel] = ()
    bottom: Sequence[Panel] = ()
    has_settings: bool = False  # below `top` stands a form, which is to be announced


def actor_of(request: HttpRequest) -> str:
    """Return who a change is written down for."""
    return f"console:{request.user.get_username()}"


class ConsoleAdmin(ModelAdmin):
    """A page of the console: its history is the rows of Change."""

    list_per_page = 50
    show_full_result_count = False
    has_history = True
    change_form_outer_before_template: Any = "console/overview_top.html"
    change_form_outer_after_template: Any = "console/overview_bottom.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that the person sees."""
        return visible(super().get_queryset(request), request.user)

    def overview(self, row: Any, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return what the page of `row` says around its form."""
        return Overview()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a row, and what there is to say about it."""
        has_history = self.has_history and _may_see_record(request)
        context = {"show_history": has_history, **(extra_context or {})}
        row = self.get_object(request, object_id) if request.method == "GET" else None
        if row is not None and self.has_view_or_change_permission(request, row):
            context["overview"] = self.overview(row, request)
        return super().change_view(request, object_id, form_url, context)

    def subject_of(self, row: models.Model) -> str:
        """Return how Change rows name `row`."""
        return f"{self.opts.verbose_name} {row}"

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show who changed the row, when and how, to those who may see the record of changes."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id}.")
        if not (self.has_view_or_change_permission(request, row) and _may_see_record(request)):
            raise PermissionDenied
        about = Change.objects.filter(subject=self.subject_of(row))
        changes = visible(about, request.user)
        context = {
            **self.admin_site.each_context(request),
            "title": f"History of {row}",
            "opts": self.opts,
            "original": row,
            "history": _history(changes.order_by("-at", "-id")[:HISTORY_SHOWN]),
            "shown": HISTORY_SHOWN,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "console/history.html", context)

    # Change rows are the record, written by the services; Django's own log would be a second one.
    def log_addition(self, *_args: object, **_kwargs: object) -> None:  # type: ignore[override]
        """Write nothing."""

    def log_change(self, *_args: object, **_kwargs: object) -> None:  # type: ignore[override]
        """Write nothing."""

    def log_deletions(self, *_args: object, **_kwargs: object) -> None:  # type: ignore[override]
        """Write nothing."""


def _may_see_record(request: HttpRequest) -> bool:
    return request.user.has_perm("policies.view_change")


def _history(changes: Iterable[Change]) -> SafeString:
    rows: list[tuple[object, ...]] = []
    for change in changes:
        head: tuple[object, ...] = (f"{change.at:%Y-%m-%d %H:%M:%S}", change.actor, change.verb)
        differing = [
            (name, said(before), said(after))
            for name, (before, after) in change.detail.items()
            if said(before) != said(after)
        ]
        for setting in differing or [("", "", "")]:
            rows.append((*head, *setting))
            head = ("", "", "")
    titles = ("When", "Who", "What", "Setting", "Before", "After")
    return table(titles, rows, empty="Nobody has changed it.")


class ReadOnlyAdmin(ConsoleAdmin):
    """What happened: nobody adds, changes or deletes it here."""

    actions = None
    has_history = False
    paginator = FirstRows

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False."""
        return False
