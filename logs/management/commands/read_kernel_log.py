"""Keep what this machine's kernel logs of dropped packets, until TERM."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from devices.services import own_node
from logs import services
from logs.liaison import Liaison
from logs.receiver.kernel_receiver import KernelReceiver, Settings
from logs.receiver.senders import KnownSender

_STEP_SECONDS = 1.0


class Command(BaseCommand):
    """`manage.py read_kernel_log`."""

    help = "Keep what this machine's kernel logs of dropped packets, until TERM."

    def handle(self, *_arguments: object, **_options: object) -> None:
        """Read."""
        stop = threading.Event()

        def end(_number: int, _frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        receiver = KernelReceiver(_settings(), clock=time.time_ns)
        liaison = Liaison(
            receiver, senders=_this_machine, remembered=settings.TSCM_LOG_DIR / "kernel-sender.json"
        )
        # For who asks without a database: `deploy.health` looks at its age.
        alive = settings.DATA_DIR / "run" / "kernel-log.alive"
        alive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        receiver.start(liaison.first_senders())
        while not stop.wait(_STEP_SECONDS):
            if not receiver.is_alive:
                raise CommandError("reading ended by itself; the cause is above")
            liaison.step(now=timezone.now())
            alive.touch()
        receiver.stop()
        liaison.step(now=timezone.now(), is_last=True)


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
