"""How a device does, in words and a tone: one place for console, API and command line."""

from __future__ import annotations

from datetime import datetime, timedelta

from devices.models import Device, Gateway, GatewayState
from policies.models import Packing
from policies.states import PolicyState, SourceState, Told, Toned

# An FMC pulls every half hour; four missed pulls are no accident.
SILENT_AFTER = timedelta(hours=2)


class HealthState(Toned):
    """The word for a device's health, worst first."""

    NOT_PUBLISHED = "not-published", "warning", "nothing published yet"
    HELD = "held", "danger", "policy held by its guard"
    FAILED = "failed", "danger", "policy could not be published"
    TOO_LARGE = "too-large", "danger", "policy too large"
    NOT_ENFORCED = "not-enforced", "danger", "not enforced"
    ROLLED_BACK = "rolled-back", "danger", "change rolled back"
    SILENT = "silent", "danger", "stopped pulling"
    UNSEEN = "unseen", "danger", "kernel not read back"
    PAUSED = "paused", "warning", "enforcement paused"
    LOGS_FAILING = "logs-failing", "warning", "logs not uploaded"
    STALE = "stale", "warning", "lists are old"
    NEVER_PULLED = "never-pulled", "info", "waiting for its first pull"
    WAITING = "waiting", "info", "waiting for its enforcer"
    UPDATES_OFF = "updates-off", "neutral", "policy updates off"
    CUT = "cut", "warning", "protected, list cut to size"
    PROTECTED = "protected", "success", "protected"

    @property
    def is_protected(self) -> bool:
        """Whether a device that was seen has a list of ours in force, if an old or a cut one."""
        return self in _PROTECTED


_PROTECTED = frozenset(
    {
        HealthState.LOGS_FAILING,
        HealthState.STALE,
        HealthState.UPDATES_OFF,
        HealthState.CUT,
        HealthState.PROTECTED,
    }
)


class Health(Told[HealthState]):
    """A device's health."""


def health_of(device: Device, *, now: datetime) -> Health:
    """Return the most serious thing to say about a device.

    Reads `device.policy`, `policy.current`, `policy.sources` and, of gateways, `device.gateway`:
    prefetch them for a list.
    """
    return (
        _policy_trouble(device)
        or _delivery_trouble(device, now=now)
        or _log_trouble(device)
        or _calm(device, now=now)
    )


def last_seen(device: Device) -> datetime | None:
    """Return when a device was last known to have its lists: a pull, or a kernel read back."""
    return device.gateway.checked_at if device.is_gateway else device.last_pull_at


def _policy_trouble(device: Device) -> Health | None:
    policy, current = device.policy, device.policy.current
    if policy.state == PolicyState.HELD:
        return Health(HealthState.HELD, policy.state_detail)
    if policy.state == PolicyState.FAILED:
        return Health(HealthState.FAILED, policy.state_detail)
    if device.is_too_small and current is not None:
        return Health(
            HealthState.TOO_LARGE,
            f"Snapshot {current.number} has {current.entries:,} entries, the device takes "
            f"{device.max_policy_size:,}. It is packed within a minute where that is possible; the "
            f"last one that fits stays published. Else choose a smaller policy, or raise the "
            f"maximum policy size.",
        )
    if device.policy_updates:
        return None if current else Health(HealthState.NOT_PUBLISHED, _why_nothing(device))
    if device.pinned_snapshot_id is None:
        return Health(
            HealthState.NOT_PUBLISHED,
            "Policy updates are off, and nothing was published before: nothing is served. Turn "
            "policy updates on.",
        )
    return None


def _why_nothing(device: Device) -> str:
    errors = [source.error for source in device.policy.sources.all() if source.error]
    return (
        errors[0] if errors else device.policy.state_detail or "The first retrieval is under way."
    )


def _delivery_trouble(device: Device, *, now: datetime) -> Health | None:
    if device.is_gateway:
        return _gateway_trouble(device.gateway, now=now)
    if device.is_sample or device.last_pull_at is None:
        return None
    if now - device.last_pull_at > SILENT_AFTER:
        return Health(
            HealthState.SILENT,
            f"The last pull was at {device.last_pull_at:%Y-%m-%d %H:%M} UTC. Look at the feed's "
            f"state on the firewall, and at the way from it to port 8001 here.",
        )
    return None


_TROUBLES = {
    GatewayState.FAILED: HealthState.NOT_ENFORCED,
    GatewayState.REFUSED: HealthState.NOT_ENFORCED,
    GatewayState.ROLLED_BACK: HealthState.ROLLED_BACK,
}


def _gateway_trouble(gateway: Gateway, *, now: datetime) -> Health | None:
    node = gateway.device.node
    if (trouble := _TROUBLES.get(gateway.state_word)) is not None:
        return Health(trouble, gateway.detail)
    is_paused = gateway.paused_until is not None and now < gateway.paused_until
    if gateway.checked_at is None and not is_paused:
        return Health(
            HealthState.WAITING,
            f"No enforcer of the machine {node} has taken it up yet. It runs there with 'make run' "
            f"as root; without it nothing is blocked.",
        )
    if gateway.is_unseen(now=now):
        return Health(
            HealthState.UNSEEN,
            f"The kernel of {node} was last read back {gateway.checked_at:%Y-%m-%d %H:%M} UTC. "
            f"What it held stays in force; see whether the enforcer runs there.",
        )
    if is_paused and gateway.paused_until is not None:
        return Health(
            HealthState.PAUSED,
            f"Listed packets pass until {gateway.paused_until:%Y-%m-%d %H:%M} UTC; then the kernel "
            f"drops them again by itself.",
        )
    if gateway.state_word == GatewayState.PAUSED:
        return Health(
            HealthState.PAUSED, f"The pause is over; the enforcer of {node} has not ended it yet."
        )
    return None


def _log_trouble(device: Device) -> Health | None:
    """Return what stands in the way of its logs; nothing where none are to be sent."""
    if not (device.send_logs and device.log_trouble and device.log_trouble_since):
        return None
    since = f"{device.log_trouble_since:%Y-%m-%d %H:%M} UTC"
    return Health(
        HealthState.LOGS_FAILING,
        f"Not all logs are uploaded since {since}; the lines are kept. {device.log_trouble}",
    )


def _calm(device: Device, *, now: datetime) -> Health:
    if not device.policy_updates:
        return Health(
            HealthState.UPDATES_OFF, "The last snapshot stays in place until they are on."
        )
    if old := _old_lists(device, now=now):
        return Health(HealthState.STALE, old)
    if device.last_pull_at is None and not device.is_gateway:
        return Health(HealthState.NEVER_PULLED, "Point the firewall at the feed URLs.")
    packing = device.packing
    if packing is not None and not packing.is_whole:
        return Health(HealthState.CUT, _left_out(packing))
    if device.is_gateway:
        return Health(HealthState.PROTECTED, _enforces(device.gateway))
    return Health(HealthState.PROTECTED, f"Serves snapshot {device.last_pull_number}.")


def _enforces(gateway: Gateway) -> str:
    return (
        f"Enforces snapshot {gateway.snapshot_number}: {gateway.entries:,} entries in the kernel, "
        f"read back {gateway.checked_at:%Y-%m-%d %H:%M} UTC."
    )


def _old_lists(device: Device, *, now: datetime) -> str:
    """Return what is to say of lists that are old, "" where none is."""
    if device.policy.state == PolicyState.WAITING:
        return f"The last snapshot stays in place: {device.policy.state_detail}."
    for source in device.policy.sources.all():
        if not source.is_enabled:
            continue
        if source.is_stale(now=now):
            return (
                f"{source.name} was last retrieved {source.retrieved_at:%Y-%m-%d %H:%M} UTC. "
                f"{source.error}"
            )
        if source.state == SourceState.REFUSED:
            return source.error
    return ""


def _left_out(packing: Packing) -> str:
    dropped = ", ".join(f"{count:,} prefixes of {name}" for name, count, _ in packing.dropped[-3:])
    return (
        f"The device takes {packing.most:,} entries: {packing.left_out['prefixes']:,} prefixes are "
        f"left out, the least important first ({dropped}). Raise the maximum policy size, give the "
        f"sources priorities, or let the policy merge neighbours."
    )
