"""The Celery application; the schedule is data in `tscm_site.schedule`."""

from __future__ import annotations

import logging
import os
from logging.config import dictConfig

from celery import Celery
from celery.signals import celeryd_init, setup_logging

from tscm_site.schedule import SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tscm_site.settings")

app = Celery("tscm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = SCHEDULE
app.autodiscover_tasks()


@celeryd_init.connect
@setup_logging.connect
def _use_our_logging(**_signal: object) -> None:
    """Keep one log format in every process, from its first warning on."""
    from django.conf import settings

    dictConfig(settings.LOGGING)
    logging.captureWarnings(capture=True)
