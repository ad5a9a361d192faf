"""Pages that write: every write is one service, and what it refuses stands beside the field."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from policies.admin.base import ConsoleAdmin, actor_of
from policies.models import Policy
from policies.services import request_refresh
from policies.tasks import nudge
from policies.words import link


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose last check is the service that does the write.

    So whatever the service refuses stands beside the field, and nothing is checked twice.
    """

    actor: ClassVar[str]
    now: ClassVar[datetime]

    def write(self) -> models.Model | None:
        """Do the write by its service; call `refuse` and return None for what it refuses."""
        raise NotImplementedError

    def refuse(self, field: str, reason: Exception | str) -> None:
        """Put a reason beside a field; above the form when it has no such field."""
        self.add_error(field if field in self.fields else None, str(reason))

    def _post_clean(self) -> None:
        if self.errors:
            return
        with transaction.atomic():
            written = self.write()
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

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002  Django's signature
        **kwargs: Any,
    ) -> Any:
        """Return the form, told who writes and when."""
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"actor": actor_of(request), "now": timezone.now()})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:  # noqa: ARG002
        """Send workers to what the service left due; the row itself is written."""
        nudge()

    def remove(self, row: Any, *, actor: str, now: datetime) -> None:
        """Remove a row by its service."""
        raise NotImplementedError

    def held_by(self, row: Any) -> Iterable[models.Model]:  # noqa: ARG002
        """Return the rows that forbid the removal of `row`."""
        return ()

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[Any], list[Any]]:
        """Name the rows only: what hangs on them is history, and may be thousands of rows."""
        rows = list(objs)
        held: list[Any] = [link(holder) for row in rows for holder in self.held_by(row)]
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
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[pk])


class UpdatingAdmin(ServiceAdmin):
    """Pages with an "update now": a POST that leaves a policy due and sends workers to it."""

    actions = ("update_now",)

    def policy_of(self, row: Any) -> Policy:
        """Return the policy that "update now" means."""
        raise NotImplementedError

    def update_url(self, row: models.Model) -> str:
        """Return where "update now" is posted to."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_update", args=[row.pk])

    def get_urls(self) -> list[URLPattern]:
        """Return the pages and "update now"."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_update"
        view = self.admin_site.admin_view(self.update_view)
        return [path("<int:pk>/update/", view, name=name), *super().get_urls()]

    def update_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Leave the policy due, and go back to the row's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.get_object(request, str(pk))
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        if row is None:
            raise Http404(f"There is no {self.opts.verbose_name} {pk}.")
        self._request(request, [self.policy_of(row)])
        return HttpResponseRedirect(self.page_of(pk))

    def update_now(self, request: HttpRequest, queryset: Any) -> None:
        """Leave the policies of the chosen rows due."""
        self._request(request, list({p.pk: p for p in map(self.policy_of, queryset)}.values()))

    update_now.short_description = "Update now"  # type: ignore[attr-defined]
    update_now.allowed_permissions = ("change",)  # type: ignore[attr-defined]

    def _request(self, request: HttpRequest, policies: list[Policy]) -> None:
        for policy in policies:
            request_refresh(policy=policy, now=timezone.now())
            if policy.is_paused:
                messages.warning(
                    request,
                    f"{policy}: nothing is retrieved, because policy updates are off on every "
                    f"device that follows it. Turn them on first.",
                )
            else:
                messages.success(
                    request,
                    f"{policy}: update requested. A worker retrieves its lists within seconds and "
                    f"publishes a new snapshot if they changed; reload this page to see it.",
                )
        nudge()
