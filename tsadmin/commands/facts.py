"""Everything there is to say about a device, once for the screen and once for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings as site

from devices.health import Health, health_of
from devices.hosts import feed_base_url
from devices.kinds import KINDS
from devices.kinds.base import Setting
from devices.models import Device
from devices.services import UNREADABLE, feed_urls, settings_of
from fleet.models import Link
from policies.models import Snapshot
from tsadmin.commands.kernel import kernel_json, kernel_lines
from tsadmin.commands.link_facts import link_json, link_lines, link_of, origin_note
from tsadmin.commands.log_facts import LogFacts, log_facts_of
from tsadmin.words import counted, label, shown


@dataclass(frozen=True, slots=True)
class Facts:
    """A device at one moment."""

    device: Device
    values: dict[str, object]  # settings by name; a secret is "" or anything else
    health: Health
    snapshot: Snapshot | None  # what is served
    urls: dict[str, str]  # none of a gateway
    logs: LogFacts
    link: Link | None  # to a portal that lays its settings down
    now: datetime

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings of its kind."""
        return KINDS[self.device.kind].settings

    def lines(self) -> list[tuple[str, str]]:
        """Return labels and values for the screen."""
        device, policy = self.device, self.device.policy
        own = "" if policy.is_private else " (shared)"
        return [
            ("Device name", device.nickname + (" (sample)" if device.is_sample else "")),
            ("Type", device.kind),
            *((label(setting), self._shown(setting)) for setting in self.settings),
            ("Policy", policy.name + own),
            ("State", f"{self.health.label}. {self.health.detail}"),
            ("Snapshot", snapshot_text(self.snapshot)),
            *_packing_lines(device),
            *(kernel_lines(device.gateway, now=self.now) if device.is_gateway else self._feeds()),
            *self.logs.lines(),
            *(link_lines(self.link) if self.link else []),
        ]

    def json(self) -> dict[str, object]:
        """Return the same for programs; a secret is only whether it is set."""
        device = self.device
        return {
            "name": device.nickname,
            "type": device.kind,
            "is_sample": device.is_sample,
            "settings": {
                setting.name: bool(self.values[setting.name])
                if setting.is_secret
                else self.values[setting.name]
                for setting in self.settings
            },
            "policy": device.policy.name,
            "policy_state": device.policy.state,
            "state": self.health.state.value,
            "state_detail": self.health.detail,
            "snapshot": self.snapshot and snapshot_json(self.snapshot),
            "packing": _packing_json(device),
            "last_pull_at": device.last_pull_at,
            "last_pull_snapshot": device.last_pull_number,
            "urls": self.urls or None,
            "gateway": kernel_json(device.gateway) if device.is_gateway else None,
            "logs": self.logs.json(),
            "link": link_json(self.link) if self.link else None,
        }

    def _feeds(self) -> list[tuple[str, str]]:
        return [("Last pull", _pull_text(self.device)), *url_lines(self.urls)]

    def _shown(self, setting: Setting) -> str:
        return self._value(setting) + origin_note(self.link, setting.name)

    def _value(self, setting: Setting) -> str:
        value = self.values[setting.name]
        if value == UNREADABLE:
            return UNREADABLE
        if setting.name == "dns_server" and not value:
            return f"{', '.join(site.TSCM_DNS_SERVERS)} (the site's own)"
        return shown(setting, value)


def facts_of(device: Device, *, now: datetime) -> Facts:
    """Gather the facts; a secret that cannot be read does not hide the rest."""
    return Facts(
        device=device,
        values=settings_of(device),
        health=health_of(device, now=now),
        snapshot=device.published,
        urls=device_urls(device),
        logs=log_facts_of(device, now=now),
        link=link_of(device),
        now=now,
    )


def device_urls(device: Device) -> dict[str, str]:
    """Return the URLs that a firewall fetches; none where the device is a gateway."""
    return feed_urls(device, base=feed_base_url(site.TSCM_FEED_BIND))


def url_lines(urls: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return labels and URLs for the screen."""
    return [(f"{role.title()} List URL", url) for role, url in urls.items()]


def snapshot_json(snapshot: Snapshot) -> dict[str, object]:
    """Return a snapshot's number and counts."""
    return {
        "number": snapshot.number,
        "published_at": snapshot.created_at,
        "block_entries": snapshot.block_prefixes,
        "allow_entries": snapshot.allow_prefixes,
        "numbers": snapshot.numbers,
        "cuts": dict(snapshot.cuts),
    }


def snapshot_text(snapshot: Snapshot | None) -> str:
    """Return a snapshot's number, moment and counts for the screen."""
    if snapshot is None:
        return "none"
    block = counted(snapshot.block_prefixes, "entry", "entries")
    allow = counted(snapshot.allow_prefixes, "entry", "entries")
    return (
        f"{snapshot.number} of {snapshot.created_at:%Y-%m-%d %H:%M} UTC: "
        f"block {block}, allow {allow}"
    )


def _packing_lines(device: Device) -> list[tuple[str, str]]:
    """Return what is left out for a device that is too small, nothing for any other."""
    packing = device.packing
    if packing is None:
        return []
    dropped = ", ".join(f"{number:,} of {name}" for name, number, _ in packing.dropped)
    text = f"to {packing.most:,} entries; prefixes left out: {dropped or 'none'}"
    return [("Packed", text)]


def _packing_json(device: Device) -> dict[str, object] | None:
    packing = device.packing
    if packing is None:
        return None
    return {
        "most": packing.most,
        "entries": packing.entries,
        "added": packing.added,
        "left_out": packing.left_out,
        "dropped": [
            {"source": name, "prefixes": prefixes, "addresses": number}
            for name, prefixes, number in packing.dropped
        ],
    }


def _pull_text(device: Device) -> str:
    if device.last_pull_at is None:
        return "never"
    return f"{device.last_pull_at:%Y-%m-%d %H:%M} UTC, snapshot {device.last_pull_number}"
