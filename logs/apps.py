from __future__ import annotations

from django.apps import AppConfig


class LogsConfig(AppConfig):
    name = "logs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell who sees which rows: what belongs to a device is seen with it."""
        from devices.reports.visible import through
        from logs.models import (
            Batch,
            Delivery,
            EventFile,
            Forward,
            HitHour,
            LineShape,
            Spool,
        )
        from policies.visible import share

        share(
            {
                Spool: through("device"),
                Batch: through("spool__device"),
                Delivery: through("batch__spool__device"),
                Forward: through("device"),
                EventFile: through("batch__spool__device"),
                HitHour: through("device"),
                LineShape: through("device"),
            }
        )
