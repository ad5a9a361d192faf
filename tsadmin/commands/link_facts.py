"""What is known of a device's link to a portal, for the screen and for programs."""

from __future__ import annotations

from devices.models import Device
from fleet.models import Link
from fleet.reports.link_health import link_health


def link_of(device: Device) -> Link | None:
    """Return the link of a device, None where it has none."""
    if not device.portal:
        return None
    return Link.objects.select_related("device").filter(device=device).first()


def origin_note(link: Link | None, name: str) -> str:
    """Return what stands behind a setting's value: that a portal laid it down; "" otherwise."""
    if link is None or name not in link.device.set_by_portal:
        return ""
    return " (set here over the portal's)" if name in link.overrides else " (from the portal)"


def link_lines(link: Link) -> list[tuple[str, str]]:
    """Return labels and values for the screen."""
    health = link_health(link)
    reached = f"{link.reached_at:%Y-%m-%d %H:%M:%S} UTC" if link.reached_at else "never"
    offset = "unknown" if link.clock_offset is None else f"{link.clock_offset:+.0f} s"
    return [
        ("Portal", f"{link.portal} ({link.domain})"),
        ("Web Automation", f"{health.label}. {health.detail}"),
        ("Portal reached", f"{reached}; settings of serial {link.serial}"),
        ("Clock", f"{offset} ahead of the portal's"),
        ("Overrides", ", ".join(sorted(link.overrides)) or "none"),
    ]


def link_json(link: Link) -> dict[str, object]:
    """Return the same for programs."""
    health = link_health(link)
    return {
        "portal": link.portal,
        "domain": link.domain,
        "state": health.state.value,
        "state_detail": health.detail,
        "serial": link.serial,
        "linked_at": link.linked_at,
        "reached_at": link.reached_at,
        "changed_at": link.changed_at,
        "reported_at": link.reported_at,
        "clock_offset": link.clock_offset,
        "error": link.error,
        "report_error": link.report_error,
        "refused": list(link.refused),
        "set_by_portal": list(link.device.set_by_portal),
        "overrides": dict(link.overrides),
    }
