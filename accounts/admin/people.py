"""The pages of people and of groups of people: Django's, in our look, and recorded."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin, UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.people import (
    PeopleRefused,
    facts_of,
    is_owner,
    keep_an_owner,
    powers_of,
    record_password,
    record_person,
    remove_person,
    right_names,
    subject_of,
)
from accounts.roles import ROLES
from accounts.session_store import digest_of
from policies.admin.base import ConsoleAdmin, Overview, Panel, actor_of
from policies.services import record_change
from policies.words import table

# Importing them registered Django's own pages, which have another look.
admin.site.unregister(User)
admin.site.unregister(Group)

_OWNER = "_is_owner"
_ABOVE_OWNERS = ("is_superuser", "user_permissions")


_Base: Any = object  # what stands behind it is a page of Django's, and then one of ours


def roles_panel() -> Panel:
    """Return what each role may do."""
    rows = ((role.name, role.sentence) for role in ROLES.values())
    return Panel("Roles", table(("Role", "What it may do"), rows, empty=""))


class _People(_Base):  # type: ignore[misc]
    """Pages that only owners change; what would leave no owner is refused with a message."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person is an owner: else who may edit people could become one."""
        return super().has_change_permission(request, obj) and _is_owner(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell whether the person is an owner."""
        return super().has_add_permission(request) and _is_owner(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person is an owner."""
        return super().has_delete_permission(request, obj) and _is_owner(request)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Change a row, all or nothing."""
        try:
            shown: HttpResponse = super().changeform_view(
                request, object_id, form_url, extra_context
            )
        except PeopleRefused as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(request.get_full_path())
        return shown

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, then remove; a refusal is a message."""
        try:
            shown: HttpResponse = super().delete_view(request, object_id, extra_context)
        except PeopleRefused as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(self._list())
        return shown

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Do what was chosen for several rows; a refusal is a message."""
        try:
            return super().response_action(request, queryset)
        except PeopleRefused as refused:
            messages.error(request, str(refused))
            return HttpResponseRedirect(self._list())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Remove several rows, all or none."""
        with transaction.atomic():
            for row in queryset:
                self.delete_model(request, row)

    def _list(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


@admin.register(User)
class UserAdmin(_People, DjangoUserAdmin, ConsoleAdmin):  # type: ignore[misc, type-arg]
    """The pages of people. A superuser's are for superusers: his password would be his power."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "roles", "device_groups_shown", "is_active", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Return the people with their groups, in a fixed number of queries."""
        people: QuerySet[User] = super().get_queryset(request)
        return people.prefetch_related("groups", "device_groups")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may change people, and this one."""
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may remove people, and this one."""
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Return what only a superuser may give: powers beside those of roles."""
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else (*fields, *_ABOVE_OWNERS)

    def overview(self, row: User, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return what each role may do."""
        return Overview(bottom=(roles_panel(),))

    def subject_of(self, row: Any) -> str:
        """Return how the record names a person."""
        return subject_of(row)

    def save_form(self, request: HttpRequest, form: Any, change: Any) -> Any:
        """Keep what the person was, before the form writes."""
        row = super().save_form(request, form, change)
        form.facts_before = facts_of(row) if change else {}
        return row

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Write a person; whoever is added here may come to the console."""
        obj.is_staff = obj.is_staff if change else True
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        """Write the groups, and record what differs."""
        super().save_related(request, form, formsets, change)
        # The session at this page stays: only owners get here, of whom all was asked already.
        record_person(
            form.instance, verb="change" if change else "add", before=form.facts_before,
            actor=actor_of(request), now=timezone.now(),
            but_digest=digest_of(request.session.session_key),
        )  # fmt: skip

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Return what goes with people; where something keeps them the page says only that."""
        gone, counts, denied, kept = super().get_deleted_objects(objs, request)
        return gone, counts, set() if kept else denied, kept

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Remove a person."""
        remove_person(user=obj, actor=actor_of(request), now=timezone.now())

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002
        """Set a person's password, and record that it was set."""
        person = self.get_object(request, id)
        with transaction.atomic():
            answer = super().user_change_password(request, id, form_url)
            if person is not None:
                record_password(
                    person, held=person.password, actor=actor_of(request), now=timezone.now()
                )
        return answer

    @display(description="role")
    def roles(self, person: User) -> str:
        """Return the roles, and that somebody is a superuser."""
        return ", ".join(powers_of(person))

    @display(description="sees devices of")
    def device_groups_shown(self, person: Any) -> SafeString | str:
        """Return the groups whose devices the person sees."""
        names = [group.name for group in person.device_groups.all()]
        return "all" if not names else format_html_join(", ", "{}", ((name,) for name in names))


@admin.register(Group)
class GroupAdmin(_People, DjangoGroupAdmin, ConsoleAdmin):  # type: ignore[misc]
    """The pages of groups of people. Those that are roles stay as they are."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return a group, its rights with what they are about: each of them is said in words."""
        group = super().get_object(request, object_id, from_field)
        if group is not None:
            prefetch_related_objects([group], "permissions__content_type")
        return group

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may change groups, and this one."""
        is_role = obj is not None and obj.name in ROLES
        return super().has_change_permission(request, obj) and not is_role

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may remove groups, and this one."""
        is_role = obj is not None and obj.name in ROLES
        return super().has_delete_permission(request, obj) and not is_role

    def overview(self, row: Group, request: HttpRequest) -> Overview:  # noqa: ARG002
        """Return what each role may do."""
        return Overview(bottom=(roles_panel(),))

    def save_form(self, request: HttpRequest, form: Any, change: Any) -> Any:
        """Keep what the group was, before the form writes."""
        row = super().save_form(request, form, change)
        form.facts_before = _rights(row) if change else {}
        return row

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        """Write the rights, and record what differs."""
        super().save_related(request, form, formsets, change)
        record_change(
            actor=actor_of(request), verb="change" if change else "add",
            subject=self.subject_of(form.instance), now=timezone.now(),
            before=form.facts_before, after=_rights(form.instance),
        )  # fmt: skip

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        """Remove a group."""
        with transaction.atomic():
            record_change(
                actor=actor_of(request), verb="remove", subject=self.subject_of(obj),
                now=timezone.now(), before=_rights(obj),
            )  # fmt: skip
            obj.delete()
            keep_an_owner()


def _is_owner(request: HttpRequest) -> bool:
    user = request.user
    if not isinstance(user, User) or user.is_superuser:
        return user.is_active and user.is_superuser
    # The side bar of every page asks several times; a user's object lives as long as a request.
    known = user.__dict__
    if _OWNER not in known:
        known[_OWNER] = is_owner(user)
    return bool(known[_OWNER])


def _may_touch(request: HttpRequest, person: Any) -> bool:
    return person is None or not person.is_superuser or request.user.is_superuser


def _rights(group: Group) -> dict[str, object]:
    row = Group.objects.get(pk=group.pk)
    return {"name": row.name, "rights": right_names(row.permissions)}
