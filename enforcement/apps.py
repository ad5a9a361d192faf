from __future__ import annotations

from django.apps import AppConfig


class EnforcementConfig(AppConfig):
    name = "enforcement"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell who sees which rows: what belongs to a gateway is seen with its device."""
        from devices.reports.visible import through
        from enforcement.models import Application, Inquiry
        from policies.visible import share

        share({Application: through("gateway__device"), Inquiry: through("gateway__device")})
