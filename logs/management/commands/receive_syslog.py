"""Receive syslog, at the addresses that TSCM_SYSLOG_… name, until TERM."""

from __future__ import annotations

import logging
import sys
import time

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from devices.services import own_node
from logs import services
from logs.liaison import Liaison
from logs.limits import allow_many_files
from logs.receiver.listening import Certificates, Listen
from logs.receiver.receiver import Receiver, Run, Settings
from logs.receiver.senders import KnownSender
from logs.spool.base import Transport
from policies.stopping import stopping

log = logging.getLogger(__name__)

# Python lets a thread compute for 5 ms before another may read: at 200,000 datagrams a second that
# is a thousand of them waiting.
_SWITCH_SECONDS = 0.0005


class Command(BaseCommand):
    """`manage.py receive_syslog`."""

    help = "Receive syslog (TSCM_SYSLOG_BIND and its siblings), until TERM."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Receive."""
        stop = stopping()
        sys.setswitchinterval(_SWITCH_SECONDS)
        allow_many_files()
        run = Run(own_node(), timezone.now())
        receiver = Receiver(_settings(), run, clock=time.time_ns)
        liaison = Liaison(
            receiver, senders=_received, remembered=settings.TSCM_LOG_DIR / "senders.json"
        )
        alive = settings.DATA_DIR / "run" / "receiver.alive"
        liaison.attend(stop, alive=alive, clock=timezone.now)


def _received() -> tuple[KnownSender, ...]:
    """Return the devices whose lines come by the network, or are written by another program.

    Those of this kernel are read elsewhere.
    """
    return tuple(sender for sender in services.known_senders() if not sender.is_read_from_kernel)


def _settings() -> Settings:
    bind, extra, tls = (
        settings.TSCM_SYSLOG_BIND, settings.TSCM_SYSLOG_EXTRA_BIND, settings.TSCM_SYSLOG_TLS_BIND,
    )  # fmt: skip
    wanted: list[tuple[Transport, str, int]] = [
        ("udp", bind.host, bind.port),
        ("tcp", bind.host, bind.port),
    ]
    if extra is not None:
        wanted.append(("tcp", extra.host, extra.port))
    certificate = settings.TSCM_SYSLOG_TLS_CERTIFICATE
    certificates = None
    if certificate is not None:
        wanted.append(("tls", tls.host, tls.port))
        certificates = Certificates(
            certificate, settings.TSCM_SYSLOG_TLS_KEY, settings.TSCM_SYSLOG_TLS_CLIENT_CA
        )
    return Settings(
        log_dir=settings.TSCM_LOG_DIR,
        listen=tuple(Listen(*one) for one in wanted),
        certificates=certificates,
        memory_bytes=settings.TSCM_SYSLOG_MEMORY_BYTES,
        sync_seconds=settings.TSCM_SYSLOG_SYNC_SECONDS,
        # Batches are removed below the floor; lines are refused only when that did not help.
        least_free_bytes=settings.TSCM_LOG_FREE_BYTES // 2,
    )
