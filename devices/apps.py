from __future__ import annotations

from django.apps import AppConfig


class DevicesConfig(AppConfig):
    name = "devices"
    verbose_name = "Devices"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell who sees which rows."""
        from devices.reports.visible import RULES
        from policies.visible import share

        share(RULES)
