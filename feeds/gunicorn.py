"""How gunicorn runs the feed server: `gunicorn --config python:feeds.gunicorn --bind ADDRESS`.

Where to listen is the caller's to say; what concerns the feeds themselves is here.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

wsgi_app = "feeds.wsgi:application"
worker_class = "feeds.worker.FeedWorker"
workers = 2
threads = 16
worker_connections = 1000
# One copy of the code in memory, and one `Generation` for all workers (see feeds.lookup).
preload_app = True
keepalive = 15
timeout = 30
# Requests that still run at a stop get this long; a feed that is cut off is fetched again anyway.
graceful_timeout = 3
limit_request_line = 1024
limit_request_fields = 50
limit_request_field_size = 4096
# Else it opens one in the home folder, where two appliances would meet.
control_socket_disable = True

# A client that takes nothing for so long is gone, says the kernel, and frees the thread.
_STALLED_SECONDS = 30
_FLUSH_SECONDS = 2.0


def when_ready(server: Arbiter) -> None:
    """Have the kernel give up stalled clients; connections inherit it from the listener."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_SECONDS * 1000
        )


def worker_exit(_server: Arbiter, _worker: Worker) -> None:
    """Write down the pulls that still wait."""
    from feeds.views import recorder

    recorder.stop(timeout=_FLUSH_SECONDS)
