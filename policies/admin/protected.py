from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from policies.admin.writes import ServiceAdmin, ServiceForm
from policies.models import ProtectedAddress
from policies.services.manage_protected import (
    PROTECTED_COLUMNS,
    change_protected,
    protect_network,
    unprotect_network,
)
from policies.services.rows import Refused
from policies.words import ago


class ProtectedForm(ServiceForm):
    class Meta:
        model = ProtectedAddress
        fields = PROTECTED_COLUMNS

    def write(self) -> ProtectedAddress:
        """Protect the address, or change what is protected."""
        values, actor, now = self.cleaned_data, self.actor, self.now
        if not self.instance.pk:
            return protect_network(**values, actor=actor, now=now)
        row = ProtectedAddress.objects.get(pk=self.instance.pk)
        return change_protected(row=row, changes=values, actor=actor, now=now)


@admin.register(ProtectedAddress)
class ProtectedAddressAdmin(ServiceAdmin):
    form = ProtectedForm
    refusals = (Refused,)
    list_display = ("network", "reason", "kept_by", "goes")
    search_fields = ("network", "reason", "origin")
    search_help_text = "Address, reason or device"
    ordering = ("network", "id")
    fieldsets = (
        (
            None,
            {
                "fields": PROTECTED_COLUMNS,
                "description": "No policy ever blocks these addresses. The appliance's own, its "
                "gateways, its resolvers and its DNS servers are protected without a row here. "
                "Rows kept by a device or for a signed-in administrator come and go by themselves.",
            },
        ),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this may be changed: what a device keeps protected is changed there."""
        return not (obj and obj.origin) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this may be deleted: what a device keeps protected goes with it."""
        is_kept = obj is not None and obj.origin and not obj.goes_by_itself
        return not is_kept and bool(super().has_delete_permission(request, obj))

    def subject_of(self, row: Any) -> str:
        """Return how Change rows name an address."""
        return f"address {row.network}"

    def remove(self, row: ProtectedAddress, *, actor: str, now: datetime) -> None:
        """Let policies block it again."""
        unprotect_network(row=row, actor=actor, now=now)

    @display(description="kept by", ordering="origin")
    def kept_by(self, row: ProtectedAddress) -> str:
        """Return who says so."""
        return row.origin or "a person"

    @display(description="until", ordering="until")
    def goes(self, row: ProtectedAddress) -> SafeString:
        """Return when it goes by itself."""
        return ago(row.until, now=timezone.now(), never="for good")
