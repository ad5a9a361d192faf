"""Pages that write: every write is one service, and what it refuses stands beside the field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from policies.admin.base import Button, ConsoleAdmin, actor_of
from policies.models import Policy
from policies.services import Refused, accept_change, request_refresh
from policies.tasks import nudge
from policies.visible import Person, visible
from policies.words import link


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose last check is the service that does the write.

    So whatever the service refuses stands beside the field, and nothing is checked twice.
    """

    actor: ClassVar[str]
    now: ClassVar[datetime]
    seen_by: ClassVar[Person]

    def offer(self, name: str, rows: QuerySet[Any]) -> None:
        """Let a field choose among the rows that the person sees."""
        field: Any = self.fields[name]
        field.queryset = visible(rows, self.seen_by)

    def write(self) -> models.Model | None:
        """Do the write by its service, which may raise Refused.

        For what it refuses in another way call `refuse` and return None.
        """
        raise NotImplementedError

    def refuse(self, field: str, reason: Exception | str) -> None:
        """Put a reason beside a field; above the form when it has no such field."""
        self.add_error(field if field in self.fields else None, str(reason))

    def _post_clean(self) -> None:
        if self.errors:
            return
        written = None
        with transaction.atomic():
            try:
                written = self.write()
            except Refused as refused:
                self.refuse(refused.setting, refused)
            if self.errors:
                transaction.set_rollback(True)
        if written is not None and not self.errors:
            self.instance = written

    def save(self, commit: bool = True) -> Any:  # noqa: ARG002, FBT001, FBT002
        """Return the row, which the service wrote."""
        return self.instance

    def save_m2m(self) -> None:
        """Do nothing: the service wrote everything."""


class ServiceAdmin(ConsoleAdmin):
    """Pages whose writes are services."""

    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    # Whether the form makes its fields itself: they are not the columns of the row.
    form_has_own_fields: ClassVar[bool] = False

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002  Django's signature
        **kwargs: Any,
    ) -> Any:
        """Return the form, told who writes and when."""
        form: Any = self.form
        if not self.form_has_own_fields:
            form = super().get_form(request, obj, change, **kwargs)
        told = {"actor": actor_of(request), "now": timezone.now(), "seen_by": request.user}
        return type(form.__name__, (form,), told)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:  # noqa: ARG002
        """Send workers to what the service left due; the row itself is written."""
        nudge()

    def remove(self, row: Any, *, actor: str, now: datetime) -> None:
        """Remove a row by its service."""
        raise NotImplementedError

    def held_by(self, row: Any) -> QuerySet[Any] | None:  # noqa: ARG002
        """Return the rows that forbid the removal of `row`; None where none can."""
        return None

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """Name the rows only: what hangs on them is history, and may be thousands of rows."""
        rows = list(objs)
        held = [one for row in rows for one in _held(self.held_by(row), request)]
        names = [f"{self.opts.verbose_name} {row}" for row in rows]
        allowed = all(self.has_delete_permission(request, row) for row in rows)
        lacking = set() if allowed else {self.opts.verbose_name}
        return names, {self.opts.verbose_name_plural: len(rows)}, lacking, held

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Remove one row by its service."""
        self.remove(obj, actor=actor_of(request), now=timezone.now())
        nudge()

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Remove rows by their service, all or none."""
        with transaction.atomic():
            for row in queryset:
                self.delete_model(request, row)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, then remove; a refusal is a message on the row's own page."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except self.refusals as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(self.page_of(object_id))

    def page_of(self, pk: object) -> str:
        """Return the address of a row's page."""
        return reverse(f"admin:{self._name_of('change')}", args=[pk])

    def deed_paths(
        self, deeds: Mapping[str, object], view: Callable[..., HttpResponse]
    ) -> list[URLPattern]:
        """Return an address for each deed by its verb; `view` is given the deed."""
        guarded = self.admin_site.admin_view(view)
        return [
            path(f"<int:pk>/{verb}/", guarded, {"deed": deed}, name=self._name_of(verb))
            for verb, deed in deeds.items()
        ]

    def _name_of(self, what: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{what}"

    def _url(self, what: str, row: models.Model) -> str:
        return reverse(f"admin:{self._name_of(what)}", args=[row.pk])

    def _changeable(self, request: HttpRequest, pk: int) -> Any:
        """Return a row that the person may change; raises PermissionDenied, Http404."""
        row = self.get_object(request, str(pk))
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return self._there(row, pk)

    def _there(self, row: Any, pk: int) -> Any:
        if row is None:
            raise Http404(f"There is no {self.opts.verbose_name} {pk}.")
        return row


class UpdatingAdmin(ServiceAdmin):
    """Pages with an "update now": a POST that leaves a policy due and sends workers to it.

    Where a policy holds back a change, there is an "accept change once" beside it.
    """

    actions = ("update_now", "accept_once")

    def policy_of(self, row: Any) -> Policy:
        """Return the policy that "update now" means."""
        raise NotImplementedError

    def has_accept_permission(self, request: HttpRequest) -> bool:
        """Tell who may let a change pass: who may change policies, on whichever page."""
        return request.user.has_perm("policies.change_policy")

    def update_buttons(self, row: Any, request: HttpRequest) -> list[Button]:
        """Return what the person may do with the policy from the row's page."""
        buttons = []
        policy = self.policy_of(row)
        if self.has_change_permission(request, row):
            buttons.append(Button("Update now", self._url("update", row), "refresh", is_post=True))
        if policy.held is not None:
            # It is approved on the policy's page, as it is seen there; to accept is to take
            # whatever comes.
            if policy != row and request.user.has_perm("policies.view_policy"):
                url = reverse("admin:policies_policy_change", args=[policy.pk])
                buttons.append(Button("Look at what is held", url, "visibility"))
        elif self.has_accept_permission(request) and policy.awaits_acceptance:
            accept = Button("Accept change once", self._url("accept", row), "check", is_post=True)
            buttons.append(accept)
        return buttons

    def get_urls(self) -> list[URLPattern]:
        """Return the pages, "update now" and "accept change once"."""
        update = self.admin_site.admin_view(self.update_view)
        accept = self.admin_site.admin_view(self.accept_view)
        return [
            path("<int:pk>/update/", update, name=self._name_of("update")),
            path("<int:pk>/accept/", accept, name=self._name_of("accept")),
            *super().get_urls(),
        ]

    def update_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Leave the policy due, and go back to the row's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_object(request, str(pk))
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        self._request(request, [self.policy_of(self._there(row, pk))])
        return HttpResponseRedirect(self.page_of(pk))

    def accept_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let one change of the policy pass, and go back to the row's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_object(request, str(pk))
        may_look = self.has_view_or_change_permission(request, row)
        if not may_look or not self.has_accept_permission(request):
            raise PermissionDenied
        self._accept(request, [self.policy_of(self._there(row, pk))])
        return HttpResponseRedirect(self.page_of(pk))

    def update_now(self, request: HttpRequest, queryset: Any) -> None:
        """Leave the policies of the chosen rows due."""
        self._request(request, self._policies_of(queryset))

    update_now.short_description = "Update now"  # type: ignore[attr-defined]
    update_now.allowed_permissions = ("change",)  # type: ignore[attr-defined]

    def accept_once(self, request: HttpRequest, queryset: Any) -> None:
        """Let one change of each policy of the chosen rows pass, where one is held back."""
        self._accept(request, self._policies_of(queryset))

    accept_once.short_description = "Accept change once"  # type: ignore[attr-defined]
    accept_once.allowed_permissions = ("accept",)  # type: ignore[attr-defined]

    def _policies_of(self, rows: Iterable[Any]) -> list[Policy]:
        return list({policy.pk: policy for policy in map(self.policy_of, rows)}.values())

    def _accept(self, request: HttpRequest, policies: list[Policy]) -> None:
        for policy in policies:
            if not policy.awaits_acceptance:
                messages.warning(
                    request,
                    f"{policy}: nothing to accept, no shrink or growth limit holds anything back.",
                )
            elif policy.is_paused:
                messages.warning(request, _paused(policy))
            else:
                accept_change(policy=policy, actor=actor_of(request), now=timezone.now())
                messages.success(
                    request,
                    f"{policy}: accepted. A worker retrieves its lists within seconds and lets one "
                    f"change beyond the shrink and growth limits pass; the limits on width and "
                    f"share stay. Reload this page to see it.",
                )
        nudge()

    def _request(self, request: HttpRequest, policies: list[Policy]) -> None:
        for policy in policies:
            request_refresh(policy=policy, now=timezone.now())
            if policy.is_paused:
                messages.warning(request, _paused(policy))
            else:
                messages.success(
                    request,
                    f"{policy}: update requested. A worker retrieves its lists within seconds and "
                    f"publishes a new snapshot if they changed; reload this page to see it.",
                )
        nudge()


def _held(holders: QuerySet[Any] | None, request: HttpRequest) -> list[Any]:
    """Return what holds a row, with a link where the person may see it."""
    if holders is None:
        return []
    seen = list(visible(holders, request.user))
    hidden = holders.count() - len(seen)
    shown: list[Any] = [link(holder) for holder in seen]
    return [*shown, f"{hidden} of another group"] if hidden else shown


def _paused(policy: Policy) -> str:
    return (
        f"{policy}: nothing is retrieved, because policy updates are off on every device that "
        f"follows it. Turn them on first."
    )
