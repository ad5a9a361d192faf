"""The feed server's application: `gunicorn --config python:feeds.gunicorn --bind ADDRESS`.

It runs on the console's settings and shares none of its URLs and none of its middleware.
"""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tscm_site.settings")
django.setup(set_prefix=False)

from feeds.views import application  # noqa: E402  needs the settings

__all__ = ["application"]
