"""The alarms of kernels: not enforced, rolled back, not read back, changed by somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from devices.models import Gateway, GatewayState
from policies.services import Cause, back_since, keep_alarms
from policies.states import AlarmKind

KINDS = (
    AlarmKind.NOT_ENFORCED,
    AlarmKind.ROLLED_BACK,
    AlarmKind.ENFORCER_AWAY,
    AlarmKind.KERNEL_DIFFERS,
)
# One failure may pass by itself; the page of the device says it at once.
FAILURES = 3
# Until the enforcer of a new gateway, or of an appliance that was just started, has come to it.
TAKEN_UP_AFTER = timedelta(minutes=15)
READ_BACK_AFTER = timedelta(minutes=5)
DIFFERED_FOR = timedelta(hours=1)

_Found = Iterator[tuple[AlarmKind, str]]


def review_kernel_alarms(*, now: datetime) -> None:
    """Make the open alarms of kernels those that there is a cause for now."""
    back = back_since(now=now)
    is_just_back = back is not None and now - back < READ_BACK_AFTER
    rows = Gateway.objects.filter(device__is_sample=False).select_related("device")
    wanted: dict[Cause, str] = {}
    for gateway in rows.order_by("device__nickname", "pk"):
        subject = f"device {gateway.device.nickname}"
        for kind, why in _troubles(gateway, now=now):
            # Nobody could have read it back; it is told again soon if that stays so.
            if not (is_just_back and kind == AlarmKind.ENFORCER_AWAY):
                wanted[kind, subject] = why
    keep_alarms(kinds=KINDS, wanted=wanted, now=now)


def _troubles(gateway: Gateway, *, now: datetime) -> _Found:
    state = gateway.state_word
    if state == GatewayState.ROLLED_BACK:
        yield AlarmKind.ROLLED_BACK, gateway.detail
    lasting = state == GatewayState.FAILED and gateway.failures >= FAILURES
    if state == GatewayState.REFUSED or lasting:
        yield AlarmKind.NOT_ENFORCED, gateway.detail
    if why := _why_away(gateway, now=now):
        yield AlarmKind.ENFORCER_AWAY, why
    differed = gateway.healed_at
    if differed is not None and timedelta(0) <= now - differed < DIFFERED_FOR:
        yield AlarmKind.KERNEL_DIFFERS, _why_differed(gateway, differed)


def _why_away(gateway: Gateway, *, now: datetime) -> str:
    device = gateway.device
    if gateway.checked_at is None:
        is_paused = gateway.paused_until is not None and now < gateway.paused_until
        if is_paused or now - device.created_at < TAKEN_UP_AFTER:
            return ""
        return (
            f"No enforcer of the machine {device.node} has taken {device.nickname} up: nothing is "
            f"blocked there."
        )
    if not gateway.is_unseen(now=now):
        return ""
    return (
        f"The kernel of {device.node} was last read back {gateway.checked_at:%Y-%m-%d %H:%M} UTC: "
        f"nobody knows whether it still drops what is listed."
    )


def _why_differed(gateway: Gateway, at: datetime) -> str:
    return (
        f"The kernel of {gateway.device.node} did not hold what was put there, the last time "
        f"{at:%Y-%m-%d %H:%M} UTC; it was put right, {gateway.healed:,} times in all."
    )
