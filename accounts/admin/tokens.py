from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from accounts.models import ApiToken
from accounts.services import delete_token
from policies.admin.writes import ServiceAdmin


@admin.register(ApiToken)
class ApiTokenAdmin(ServiceAdmin):
    """Tokens are made through the API, which shows each once; here they are seen and deleted."""

    list_display = ("name", "owner", "right", "created_at", "expires_at", "last_used_at")
    list_select_related = ("user",)
    list_filter = ("right",)
    search_fields = ("name", "user__username")
    search_help_text = "Name or user"
    ordering = ("user__username", "name", "id")
    fieldsets = (
        (None, {"fields": ("name", "user", "right", "created_at", "expires_at", "last_used_at")}),
    )

    @display(description="user", ordering="user__username")
    def owner(self, token: ApiToken) -> str:
        """Return whose it is."""
        return token.user.get_username()

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Return False: the text of a token is shown where it is made, and only there."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def subject_of(self, row: Any) -> str:
        """Return how Change rows name a token."""
        return f"token {row.name}"

    def remove(self, row: ApiToken, *, actor: str, now: datetime) -> None:
        """Delete the token; the next request with it is refused."""
        delete_token(token=row, actor=actor, now=now)
