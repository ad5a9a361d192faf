"""What is known of a gateway's kernel, for `show`: what it holds, and when that was last seen."""

from __future__ import annotations

from datetime import datetime

from devices.models import Gateway
from enforcement.models import Application
from tsadmin.commands.enforced import application_json, application_text
from tsadmin.words import counted

_APPLICATIONS_SHOWN = 3


def kernel_lines(gateway: Gateway, *, now: datetime) -> list[tuple[str, str]]:
    """Return labels and values for the screen."""
    return [
        ("In force", _in_force(gateway)),
        ("Block digest", gateway.block_digest or "none"),
        ("Allow digest", gateway.allow_digest or "none"),
        ("Live sets", _sets_text(gateway)),
        ("Kernel memory", memory_text(_memory(gateway))),
        ("Last check", _moment(gateway.checked_at, without="never")),
        ("Healed", _healed_text(gateway)),
        ("Dropped", _dropped_text(gateway)),
        ("Paused until", _pause_text(gateway, now=now)),
        ("Warnings", " ".join(map(str, gateway.warnings)) or "none"),
        *(
            ("Application", f"{one.at:%Y-%m-%d %H:%M} UTC: {application_text(one)}")
            for one in _newest(gateway)
        ),
    ]


def kernel_json(gateway: Gateway) -> dict[str, object]:
    """Return the same for programs."""
    return {
        "state": gateway.state,
        "detail": gateway.detail,
        "snapshot_number": gateway.snapshot_number,
        "block_digest": gateway.block_digest,
        "allow_digest": gateway.allow_digest,
        "applied_at": gateway.applied_at,
        "checked_at": gateway.checked_at,
        "sets": {
            name: {"entries": entries, "memory": memory}
            for name, (entries, memory) in gateway.sets.items()
        },
        "entries": gateway.entries,
        "memory": _memory(gateway),
        "healed": gateway.healed,
        "healed_at": gateway.healed_at,
        "dropped_in": gateway.dropped_in,
        "dropped_out": gateway.dropped_out,
        "dropped_since": gateway.dropped_since,
        "paused_until": gateway.paused_until,
        "paused_by": gateway.paused_by,
        "warnings": gateway.warnings,
        "applications": [application_json(one) for one in _newest(gateway)],
    }


def memory_text(size: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, name in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size} bytes"


def _newest(gateway: Gateway) -> list[Application]:
    return list(
        Application.objects.filter(gateway=gateway).order_by("-at", "-id")[:_APPLICATIONS_SHOWN]
    )


def _memory(gateway: Gateway) -> int:
    return sum(memory for _, memory in gateway.sets.values())


def _in_force(gateway: Gateway) -> str:
    if gateway.snapshot_number is None:
        return "nothing"
    return f"snapshot {gateway.snapshot_number}, since {_moment(gateway.applied_at)}"


def _sets_text(gateway: Gateway) -> str:
    if not gateway.sets:
        return "none"
    each = ", ".join(f"{name} {entries:,}" for name, (entries, _) in sorted(gateway.sets.items()))
    return f"{counted(gateway.entries, 'entry', 'entries')}: {each}"


def _healed_text(gateway: Gateway) -> str:
    if gateway.healed_at is None:
        return "never"
    return f"{counted(gateway.healed, 'time', 'times')}, last {_moment(gateway.healed_at)}"


def _dropped_text(gateway: Gateway) -> str:
    if gateway.dropped_since is None:
        return "not counted yet"
    inbound = counted(gateway.dropped_in, "packet", "packets")
    since = _moment(gateway.dropped_since)
    return f"{inbound} inbound or forwarded, {gateway.dropped_out:,} outbound, since {since}"


def _pause_text(gateway: Gateway, *, now: datetime) -> str:
    if gateway.paused_until is None or gateway.paused_until <= now:
        return "not paused"
    return f"{_moment(gateway.paused_until)}, by {gateway.paused_by}"


def _moment(moment: datetime | None, *, without: str = "unknown") -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else without
