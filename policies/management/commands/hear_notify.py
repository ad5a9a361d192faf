"""Listen for NOTIFY messages of zone servers, at TSCM_NOTIFY_BIND, until TERM."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections
from django.utils import timezone
from dns.rcode import Rcode

from policies.services.notify import hear_notify
from policies.sources.notify import NotNotify, answer_to, read_notify
from policies.sources.notify_listener import NotifyListener
from policies.stopping import stopping
from policies.tasks import nudge

log = logging.getLogger(__name__)


def hear(message: bytes, server: str) -> bytes | None:
    """Take one message from `server`; return the answer, None where it deserves none."""
    try:
        notify = read_notify(message)
    except NotNotify as error:
        log.info("notify from=%s refused: %s", server, error)
        return None
    close_old_connections()  # the database may have been away since the last one
    try:
        heard = hear_notify(notify=notify, server=server, now=timezone.now())
        if heard.due:
            nudge()
    except Exception:
        # The sender tries again; the listener outlives a database that is away.
        log.exception("notify from=%s zone=%s could not be written down", server, notify.zone)
        return answer_to(notify, Rcode.SERVFAIL, key=None)
    log.info("notify from=%s zone=%s due=%s", server, notify.zone, ",".join(heard.due) or "-")
    return answer_to(notify, Rcode.NOERROR if heard.sources else Rcode.REFUSED, key=heard.key)


class Command(BaseCommand):
    """`manage.py hear_notify`."""

    help = "Listen for NOTIFY messages of zone servers (TSCM_NOTIFY_BIND), until TERM."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Listen."""
        bind = settings.TSCM_NOTIFY_BIND
        if bind is None:
            raise CommandError("TSCM_NOTIFY_BIND is empty: set it to listen, such as 0.0.0.0:5300")
        stop = stopping()
        try:
            listener = NotifyListener(bind.host, bind.port, hear=hear)
        except OSError as error:
            raise CommandError(f"TSCM_NOTIFY_BIND={bind}: {error.strerror}") from error
        with listener:
            log.info("hearing NOTIFY on %s", bind)
            while not stop.is_set():
                listener.step()
