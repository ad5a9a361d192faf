"""Close the open files of devices, so that what came until now can be uploaded."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from devices.models import Device
from logs import services
from logs.receiver.senders import KnownSender
from logs.spool.base import SpoolError

# A receiver is asked, closes and tells within three seconds; a large file takes a while to hash.
CLOSE_SECONDS = 15.0
_POLL_SECONDS = 0.2


def close_open_files(devices: Sequence[Device], *, now: datetime) -> Mapping[int, str]:
    """Have the open files of devices closed; return why one is not, by the device.

    Who writes a spool does it, asked by its row; where nobody does, it is done here.
    """
    senders = {sender.key: sender for sender in services.known_senders()}
    troubles: dict[int, str] = {}
    waiting = []
    for device in devices:
        if device.pk in senders and not _close_here(senders[device.pk], troubles, now=now):
            services.ask_rotation(device=device, now=now)
            waiting.append(device)
    for device in _not_closed(waiting):
        troubles[device.pk] = (
            f"the receiver did not close its open file within {CLOSE_SECONDS:.0f} seconds: "
            "receiver.log tells why"
        )
    return troubles


def _close_here(sender: KnownSender, troubles: dict[int, str], *, now: datetime) -> bool:
    """Close a file unless another process has it; tell whether there is nobody to ask."""
    try:
        return services.rotate_here(sender=sender, now=now)
    except SpoolError as error:
        troubles[sender.key] = str(error)
        return True


def _not_closed(devices: Sequence[Device]) -> Sequence[Device]:
    """Wait until the receivers have answered; return the devices of which none did in time."""
    deadline = time.monotonic() + CLOSE_SECONDS
    while True:
        asked = services.rotations_asked()
        devices = [device for device in devices if device.pk in asked]
        if not devices or time.monotonic() >= deadline:
            return devices
        time.sleep(_POLL_SECONDS)
