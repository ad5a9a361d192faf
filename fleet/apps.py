from __future__ import annotations

from django.apps import AppConfig


class FleetConfig(AppConfig):
    name = "fleet"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell who sees which rows: what belongs to an entry or a link is seen with it."""
        from devices.reports.visible import through
        from fleet.models import Entry, EntryStatus, Link
        from fleet.reports.visible import entries, of_entry
        from policies.visible import share

        share({Entry: entries, EntryStatus: of_entry, Link: through("device")})
