"""Forward the spooled lines of devices to the targets that their settings name, until TERM."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from logs import services
from logs.limits import allow_many_files
from logs.services import ForwardReport, WantedForward
from logs.shippers.forward import Forwarder, Status, Wanted
from logs.shippers.forward_target import Preserve, Target
from logs.states import ForwardState
from policies.stopping import stopping

log = logging.getLogger(__name__)

_STEP_SECONDS = 2.0


class Command(BaseCommand):
    """`manage.py forward_syslog`."""

    help = "Forward syslog to the targets that devices name, until TERM."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Forward."""
        stop = stopping()
        allow_many_files()
        # How it does, for who asks without a database: `deploy.health` looks at its age.
        alive = settings.DATA_DIR / "run" / "forwarder.alive"
        alive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_away = False
        with Forwarder(settings.DATA_DIR / "forward", clock=timezone.now) as forwarder:
            while not stop.is_set():
                if not forwarder.is_alive:
                    raise CommandError("forwarding ended by itself; the cause is above")
                alive.touch()
                close_old_connections()
                try:
                    _step(forwarder)
                    is_away = False
                except DatabaseError as error:
                    if not is_away:
                        log.error("forward: the database is away (%s); it goes on", error)  # noqa: TRY400
                    is_away = True
                stop.wait(_STEP_SECONDS)


def _step(forwarder: Forwarder) -> None:
    """Tell the forwarder what is wanted, and the rows how it does."""
    forwarder.follow(_wanted(services.wanted_forwards()))
    reports = [_report(key, status) for (key, _), status in forwarder.statuses().items()]
    services.record_forwards(reports=reports, now=timezone.now())


def _wanted(found: tuple[WantedForward, ...]) -> Wanted:
    return {
        str(one.key): (one.place, tuple(_target(text, one.source) for text in one.targets))
        for one in found
    }


def _target(text: str, source: str) -> Target:
    target = Target.parse(text)
    return replace(target, preserve=cast(Preserve, source), ca_file=settings.TSCM_LOG_CA)


def _report(key: str, status: Status) -> ForwardReport:
    return ForwardReport(
        key=int(key),
        target=str(status.target),
        state=ForwardState(status.state),
        error=status.error,
        connected_at=status.connected_at,
        address=status.address or None,
        sent=status.sent,
        dropped=status.dropped,
        cut=status.cut,
        lag_lines=status.lag_lines,
        lag_bytes=status.lag_bytes,
        oldest_at=status.oldest_at,
    )
