from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from netsets.span import Span
from policies.admin.base import Button, Overview, actor_of
from policies.admin.list_forms import NewListForm, PasteForm
from policies.admin.user_list import expiry, list_buttons, lists_panel, page_of_list
from policies.admin.writes import ServiceAdmin, ServiceForm
from policies.downloads import CSV, as_file
from policies.models import ListRecord, Source
from policies.models.record import ListRecordQuerySet
from policies.services import (
    Refused,
    add_record,
    change_record,
    export_csv,
    record_export,
    remove_records,
)
from policies.services.user_lists import file_name
from policies.sources.user_list import KIND
from policies.tasks import nudge
from policies.words import link, shortened, word

CHOICES = 500
SAMPLES = 20


class ListRecordForm(ServiceForm):
    source = forms.ModelChoiceField(
        Source.objects.filter(kind=KIND).only("name", "kind").order_by("name", "id"),
        label="List",
        widget=UnfoldAdminSelectWidget(),
    )

    class Meta:
        model = ListRecord
        fields = ("source", "text", "note", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["source"]

    def write(self) -> ListRecord:
        """Add the record, or change its note and its end."""
        values, actor, now = self.cleaned_data, self.actor, self.now
        if self.instance.pk:
            record = ListRecord.objects.select_related("source").get(pk=self.instance.pk)
            return change_record(record=record, changes=values, actor=actor, now=now)
        entry = values.pop("text")
        return add_record(entry=entry, **values, actor=actor, now=now)


class ListFilter(admin.SimpleListFilter):
    """The records of one list."""

    title = "list"
    parameter_name = "list"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the lists by name."""
        lists = Source.objects.filter(kind=KIND).order_by("name", "id")
        return [(str(pk), name) for pk, name in lists.values_list("pk", "name")[:CHOICES]]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        """Return the records of the chosen list."""
        text = self.value()
        if text is None:
            return queryset
        pk = id_in(text)
        return queryset.none() if pk is None else queryset.filter(source=pk)


class EndFilter(admin.SimpleListFilter):
    """Records that end, or never do."""

    title = "expiry"
    parameter_name = "expiry"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the two kinds."""
        return [("dated", "expires"), ("never", "never expires")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        """Return the records of the chosen kind."""
        if self.value() not in {"dated", "never"}:
            return queryset
        return queryset.filter(expires_at__isnull=self.value() == "never")


def id_in(text: str | None) -> int | None:
    """Return the id that stands in an address, None where there is none."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    return int(text)


@admin.register(ListRecord)
class ListRecordAdmin(ServiceAdmin):
    form = ListRecordForm
    refusals = (Refused,)
    has_history = False
    list_before_template: Any = "console/overview_top.html"
    list_display = ("text", "list_link", "note_line", "added_at", "added_by", "expires")
    list_filter = (ListFilter, EndFilter)
    list_select_related = ("source",)
    search_fields = ("text", "note", "added_by")
    search_help_text = "An address finds every entry that holds it; else a part of entry or note"
    ordering = ("source", "family", "first", "last", "id")
    actions = ("remove_selected",)
    fieldsets = ((None, {"fields": ("source", "text", "note", "expires_at")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ListRecord]:
        """Return the records without their lists' settings."""
        records: QuerySet[ListRecord] = super().get_queryset(request)
        return records.defer("source__settings")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:  # noqa: ARG002
        """Return what stays as it was added."""
        return ("list_link", "text", "added_by", "added_at") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fields: of a record that is there, also who added it and when."""
        if obj is None:
            return super().get_fieldsets(request, obj)
        shown = ("list_link", "text", "note", "expires_at", "added_by", "added_at")
        return ((None, {"fields": shown}),)

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Find the entries that hold an address; by their text where it is none."""
        try:
            span = Span.exactly(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        return queryset.touching(span), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the records of a list, or the lists and all their records."""
        pk = id_in(request.GET.get("list"))
        chosen = Source.objects.filter(pk=pk, kind=KIND).first() if pk is not None else None
        may_make = request.user.has_perm("policies.add_source")
        if chosen is not None:
            to = chosen.settings["type"]
            overview = Overview(
                headline=word("danger" if to == "block" else "success", f"to {to}"),
                sentence=f"Records of the list {chosen.name}. A change is in force within a "
                f"minute in every policy that takes it.",
                buttons=list_buttons(chosen, request, on_list=True),
            )
        else:
            new = Button("New list", reverse("admin:policies_listrecord_newlist"), "playlist_add")
            overview = Overview(buttons=(new,) if may_make else (), top=(lists_panel(),))
        title = f"List {chosen.name}" if chosen is not None else "Lists kept here"
        context = {"title": title, "overview": overview, **(extra_context or {})}
        return super().changelist_view(request, context)

    def response_add(
        self, request: HttpRequest, obj: ListRecord, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go on as was asked; another one is for the same list."""
        answer = super().response_add(request, obj, post_url_continue)
        if "_addanother" in request.POST:
            return HttpResponseRedirect(f"{request.path}?source={obj.source_id}")
        return answer

    def response_post_save_add(self, request: HttpRequest, obj: ListRecord) -> HttpResponseRedirect:  # noqa: ARG002
        """Go back to the list."""
        return HttpResponseRedirect(page_of_list(obj.source))

    def response_post_save_change(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: ListRecord,
    ) -> HttpResponseRedirect:
        """Go back to the list."""
        return HttpResponseRedirect(page_of_list(obj.source))

    def remove(self, row: ListRecord, *, actor: str, now: datetime) -> None:
        """Take a record out of its list."""
        records = ListRecord.objects.filter(pk=row.pk)
        remove_records(source=row.source, records=records, actor=actor, now=now)

    def get_actions(self, request: HttpRequest) -> Any:
        """Return the actions; Django's own would put every chosen row into one page."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def remove_selected(
        self, request: HttpRequest, queryset: ListRecordQuerySet
    ) -> HttpResponse | None:
        """Ask once, then take the chosen records out of their lists, however many they are."""
        if request.POST.get("confirmed") != "yes":
            return self._ask_before_removal(request, queryset)
        removed = 0
        with transaction.atomic():
            for source in Source.objects.filter(pk__in=queryset.order_by().values("source")):
                removed += remove_records(
                    source=source, records=queryset, actor=actor_of(request), now=timezone.now()
                )
        nudge()
        messages.success(request, f"{removed:,} removed.")
        return None

    remove_selected.short_description = "Remove the chosen records"  # type: ignore[attr-defined]
    remove_selected.allowed_permissions = ("delete",)  # type: ignore[attr-defined]

    def _ask_before_removal(
        self, request: HttpRequest, queryset: ListRecordQuerySet
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Remove records",
            "opts": self.opts,
            "total": queryset.count(),
            "samples": queryset[:SAMPLES],
            "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
            "across": request.POST.get("select_across", "0"),
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "console/remove_records.html", context)

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, and those of whole lists."""
        view = self.admin_site.admin_view
        name = "policies_listrecord"
        return [
            path("new-list/", view(self.new_list_view), name=f"{name}_newlist"),
            path("list/<int:pk>/paste/", view(self.paste_view), name=f"{name}_paste"),
            path("list/<int:pk>/download/", view(self.download_view), name=f"{name}_download"),
            *super().get_urls(),
        ]

    def new_list_view(self, request: HttpRequest) -> HttpResponse:
        """Make an empty list."""
        if not request.user.has_perm("policies.add_source"):
            raise PermissionDenied
        form = NewListForm(request.POST if request.method == "POST" else None)
        if form.is_valid() and (source := form.write(actor=actor_of(request), now=timezone.now())):
            messages.success(request, f"{source} is there. Add records, and let a policy take it.")
            return HttpResponseRedirect(page_of_list(source))
        back = reverse("admin:policies_listrecord_changelist")
        return self._form_page(request, form, title="New list", back=back)

    def paste_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Add what was pasted or uploaded, all or none; or name every line that cannot be taken."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        source = get_object_or_404(Source, pk=pk, kind=KIND)
        sent = (request.POST, request.FILES) if request.method == "POST" else (None, None)
        form = PasteForm(*sent, may_replace=self.has_delete_permission(request))
        if form.is_valid():
            written = form.write(source, actor=actor_of(request), now=timezone.now())
            if written is not None:
                nudge()
                messages.success(request, form.said(written))
                return HttpResponseRedirect(page_of_list(source))
        title = f"Add to {source.name}"
        return self._form_page(request, form, title=title, back=page_of_list(source))

    def download_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Send every record in force as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        source = get_object_or_404(Source, pk=pk, kind=KIND)
        now = timezone.now()
        lines = export_csv(source=source, now=now)
        record_export(actor=actor_of(request), subject=f"source {source.name}", form="csv", now=now)
        return as_file(lines, name=file_name(source), media_type=CSV)

    def _form_page(
        self, request: HttpRequest, form: forms.Form, *, title: str, back: str
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "form": form,
            "back": back,
        }
        return TemplateResponse(request, "console/list_form.html", context)

    @display(description="list", ordering="source__name")
    def list_link(self, record: ListRecord) -> SafeString:
        """Return the list."""
        return link(record.source)

    @display(description="note", ordering="note")
    def note_line(self, record: ListRecord) -> str:
        """Return the beginning of the note."""
        return shortened(record.note)

    @display(description="expires", ordering="expires_at")
    def expires(self, record: ListRecord) -> SafeString:
        """Return when it leaves the list."""
        return expiry(record, now=timezone.now())
