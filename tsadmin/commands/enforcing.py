"""Have a gateway enforce what is published for it, while somebody waits."""

from __future__ import annotations

from django.utils import timezone

from devices.models import Device, Gateway
from devices.services import make_due
from enforcement.services.target import wanted_of
from tsadmin.commands.enforced import Enforced
from tsadmin.commands.waiting import work_of
from tsadmin.screen import progress


def bring_into_force(device: Device, *, quiet: bool) -> Enforced | None:
    """Wait until a gateway enforces what is published for it, and return what was done.

    None where there is nothing to wait for: the device pulls, nothing is published for it, or its
    updates are off, and a person applies. What was rolled back is not tried again.
    """
    if not device.is_gateway or not device.policy_updates:
        return None
    now = timezone.now()
    wanted = wanted_of(device, now=now)
    if wanted is None:
        return None
    gateway = Gateway.objects.select_related("device").get(device=device)
    if gateway.refused_target == wanted.digest:
        again = f"To try it again: tsadmin apply {device}"
        return Enforced(gateway, (), trouble=f"{gateway.detail} {again}")
    if gateway.target == wanted.digest and gateway.state_word.tone != "danger":
        return Enforced(gateway, (), trouble="")
    with progress(quiet=quiet) as on_progress:
        return work_of(
            device,
            ask=lambda: make_due(device=device, now=timezone.now()),
            on_progress=on_progress,
        )
