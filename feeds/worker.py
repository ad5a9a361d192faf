"""gunicorn's threaded worker, with an end to every request.

Stock gthread waits for ever: for the rest of a request's head, for a client that reads a byte now
and then, and on the main thread for a client that does not hang up. A few such clients would hold
every thread, and the firewalls would get nothing.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gunicorn.workers.gthread import TConn, ThreadWorker


class FeedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves each connection in a thread, until its deadline."""

    head_seconds = 10.0  # to send a request's head
    answer_seconds = 900.0  # to take an answer: 14 MB at 128 kbit/s
    # Of a stop, before what still runs is cut off: less than gunicorn's `graceful_timeout`.
    stop_seconds = 0.5
    # How long a thread stays with a connection for its next request, and for how many of them.
    linger_milliseconds = 2
    burst = 100

    def init_process(self) -> None:
        """Start with no connection."""
        self._deadlines: dict[TConn, float] = {}
        super().init_process()

    def handle(self, conn: TConn) -> object:
        """Serve the requests of a connection that follow closely on each other, in a thread."""
        for _ in range(self.burst):
            with self._until_deadline(conn):
                keep = super().handle(conn)
            if keep is not True or not self.alive or not self._goes_on(conn):
                break
        if keep is False:
            # Here, not on the main thread: the client may take its two seconds to hang up.
            conn.close(graceful=True)
        return keep

    def handle_request(self, req: object, conn: TConn) -> bool:
        """Answer a request whose head is there: from now on the answer's deadline holds."""
        self._deadlines[conn] = time.monotonic() + self.answer_seconds
        return bool(super().handle_request(req, conn))

    def handle_exit(self, sig: int, frame: object) -> None:
        """Stop in order, soon."""
        stop_at = time.monotonic() + self.stop_seconds
        for conn, deadline in list(self._deadlines.items()):
            self._deadlines[conn] = min(deadline, stop_at)
        super().handle_exit(sig, frame)

    def murder_pending(self) -> None:
        """Cut off what is past its deadline; gunicorn calls this about once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._deadlines.items()):
            if deadline < now:
                self._cut(conn)

    def _goes_on(self, conn: TConn) -> bool:
        """Return whether the next request follows at once.

        Then it saves the way to the main thread and back, which costs more than the answer.
        """
        if conn.parser.unreader.buf.tell():
            return True
        soon = select.poll()
        soon.register(conn.sock, select.POLLIN)
        return bool(soon.poll(self.linger_milliseconds))

    @contextmanager
    def _until_deadline(self, conn: TConn) -> Iterator[None]:
        self._deadlines[conn] = time.monotonic() + self.head_seconds
        try:
            yield
        finally:
            self._deadlines.pop(conn, None)

    def _cut(self, conn: TConn) -> None:
        """Wake the thread that serves a connection: its next read ends, its next write fails."""
        self.log.warning("cut off %s: it took too long", conn.client[0])
        try:
            conn.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # hung up meanwhile
