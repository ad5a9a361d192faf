"""Keep what this machine's kernel logs of dropped packets, until TERM."""

from __future__ import annotations

import time

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from devices.services import own_node
from logs import services
from logs.liaison import Liaison
from logs.receiver.kernel_receiver import KernelReceiver, Settings
from logs.receiver.senders import KnownSender
from policies.stopping import stopping


class Command(BaseCommand):
    """`manage.py read_kernel_log`."""

    help = "Keep what this machine's kernel logs of dropped packets, until TERM."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Read."""
        stop = stopping()
        receiver = KernelReceiver(_settings(), clock=time.time_ns)
        liaison = Liaison(
            receiver, senders=_this_machine, remembered=settings.TSCM_LOG_DIR / "kernel-sender.json"
        )
        alive = settings.DATA_DIR / "run" / "kernel-log.alive"
        liaison.attend(stop, alive=alive, clock=timezone.now)


def _this_machine() -> tuple[KnownSender, ...]:
    """Return the device that is this machine, if one is and no other program writes its lines."""
    return tuple(sender for sender in services.known_senders() if sender.is_read_from_kernel)


def _settings() -> Settings:
    return Settings(
        node=own_node(),
        log_dir=settings.TSCM_LOG_DIR,
        started_at=timezone.now(),
        sync_seconds=settings.TSCM_SYSLOG_SYNC_SECONDS,
        # Batches are removed below the floor; lines are refused only when that did not help.
        least_free_bytes=settings.TSCM_LOG_FREE_BYTES // 2,
    )
