"""The feed server's own configuration with less patience and few threads, to see their end."""

from __future__ import annotations

from feeds.gunicorn import *  # noqa: F403
from feeds.worker import FeedWorker

worker_class = "tests.feeds.quick.QuickWorker"
threads = 4


class QuickWorker(FeedWorker):
    """Waits for a head for one second, and for an answer to be taken for two."""

    head_seconds = 1.0
    answer_seconds = 2.0
