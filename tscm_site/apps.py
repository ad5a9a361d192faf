from __future__ import annotations

import logging

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "tscm_site"
    verbose_name = "TSCM"

    def ready(self) -> None:
        # `shared_task` binds to the app that exists; without this a web process would make its own.
        # Jobs carry the id of their run from here on.
        from tscm_site import celery, runs  # noqa: F401

        celery.app.set_default()
        logging.captureWarnings(capture=True)  # a warning is a line of the log as well
