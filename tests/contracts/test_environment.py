"""Tests leave the checkout's own data alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from django.conf import settings


def test_the_data_folder_is_the_tests_own() -> None:
    assert Path(settings.DATA_DIR).is_relative_to(tempfile.gettempdir())
    assert settings.CELERY_BROKER_URL == "redis://127.0.0.1:1/0"
