from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "tscm_site"
    verbose_name = "TSCM"

    def ready(self) -> None:
        # `shared_task` binds to the app that exists; without this a web process would make its own.
        from tscm_site import celery

        celery.app.set_default()
