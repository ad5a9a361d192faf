"""What a portal lays down for a device here, and what is set here instead."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from devices.services.own_policy import BLOCK_LIST, LIST_SETTINGS, ZoneList
from devices.services.refused import POLICY
from fleet.models import Link
from fleet.protocol.base import DeviceKey, PolicyPlace, Portal, Settings
from fleet.protocol.keys import read_key, tsig_name, tsig_secret
from fleet.protocol.settings_zone import Record
from fleet.reports.effective import LOCAL
from policies.states import Role

# Stand among the settings that a link holds; no setting's name begins so.
_PLACE, _UNKNOWN = "_policy", "_unknown"


@dataclass(frozen=True, slots=True)
class LaidDown:
    """What the portal of a link said last, and the overrides that stand over it."""

    values: Mapping[str, object]
    secrets: Mapping[str, str] = field(repr=False)
    place: PolicyPlace | None  # None: its lists are settings
    unknown: tuple[str, ...]  # what this version has no setting for
    overrides: Mapping[str, object]  # a secret is "set" here
    secret_overrides: Mapping[str, str] = field(repr=False)

    @property
    def says_lists(self) -> bool:
        """Whether the portal says which lists the device takes."""
        return self.place is not None or BLOCK_LIST in self.values

    @property
    def awaits_lists(self) -> bool:
        """Whether it is to follow a policy that the portal has not published yet."""
        return self.place is None and BLOCK_LIST in self.values and not self.values[BLOCK_LIST]

    @property
    def local(self) -> tuple[str, ...]:
        """What came along and is the device's own business."""
        return tuple(name for name in LOCAL if name in self.values or name in self.secrets)

    @property
    def names(self) -> tuple[str, ...]:
        """What the portal lays down, by name; which policy is one of them."""
        chosen = [POLICY] if self.says_lists else []
        return (*chosen, *(name for name in self.values if self._counts(name)), *self.secrets)

    @property
    def overridden(self) -> tuple[str, ...]:
        """The names of what is set here instead."""
        return tuple(sorted(self.overrides))

    @property
    def wanted(self) -> dict[str, object]:
        """Every setting as it is to be here, secrets in the clear; which policy is none of them."""
        told = {**self.values, **self.secrets}
        over = {**self.overrides, **self.secret_overrides}
        return {name: over.get(name, value) for name, value in told.items() if self._counts(name)}

    def _counts(self, name: str) -> bool:
        if name in LOCAL:
            return False
        return name not in LIST_SETTINGS or not (self.place or self.awaits_lists)


def laid_down(link: Link) -> LaidDown:
    """Return what a link holds. Raises DecryptionFailed."""
    held = link.settings
    return LaidDown(
        values={name: one for name, one in held.items() if name not in {_PLACE, _UNKNOWN}},
        secrets=_secrets(link.secrets),
        place=place_of(link),
        unknown=tuple(held.get(_UNKNOWN, ())),
        overrides=dict(link.overrides),
        secret_overrides=_secrets(link.secret_overrides),
    )


def place_of(link: Link) -> PolicyPlace | None:
    """Return where the portal has the policy's lists, None where they are settings."""
    held = link.settings.get(_PLACE)
    return None if held is None else PolicyPlace(**{**held, "servers": tuple(held["servers"])})


def stored(settings: Settings) -> tuple[dict[str, object], str]:
    """Return settings as a link holds them: the plain ones as JSON, the secret ones as text."""
    plain: dict[str, object] = {name: list(one) if isinstance(one, tuple) else one
             for name, one in settings.values.items()}  # fmt: skip
    if settings.policy is not None:
        place = asdict(settings.policy)
        plain[_PLACE] = {**place, "servers": list(settings.policy.servers)}
    if settings.unknown:
        plain[_UNKNOWN] = list(settings.unknown)
    return plain, json.dumps(dict(settings.secrets)) if settings.secrets else ""


def portal_of(link: Link) -> Portal:
    """Return where the portal of a link is asked."""
    return Portal(link.host, link.port, link.domain, link.ca, link.tls_name)


def keys_of(link: Link) -> tuple[DeviceKey, ...]:
    """Return the keys to try, the one that is to take over first.

    Raises DecryptionFailed, KeyUnreadable.
    """
    return tuple(read_key(text) for text in (link.next_key, link.key) if text)


def records_of(link: Link) -> tuple[Record, ...]:
    """Return the records that came with the settings held, for a transfer of what changed."""
    return tuple((owner, text) for owner, text in link.records)


def zones_of(
    place: PolicyPlace, *, portal: Portal, device_id: str, key: DeviceKey
) -> tuple[ZoneList, ...]:
    """Return the zones of a policy as sources that are asked with the device's own key.

    They are asked of the portal where the place names no server.
    """
    settings: dict[str, object] = {
        "servers": list(place.servers) or [str(portal)],
        "port": place.port,
        "tls": place.tls,
        "key_name": tsig_name(device_id, key.generation),
        "key_algorithm": "hmac-sha256",
    }
    if place.tls:
        name = place.tls_name or ("" if place.servers else portal.tls_name)
        trusted = {"tls_ca": portal.ca, "tls_name": name}
        settings |= {what: value for what, value in trusted.items() if value}
    secrets = {"key_secret": base64.b64encode(tsig_secret(device_id, key)).decode()}
    zones = ((Role.BLOCK, place.block_zone), (Role.ALLOW, place.allow_zone))
    return tuple(
        ZoneList(role, {**settings, "name": name, "take": str(role)}, secrets)
        for role, name in zones
        if name
    )


def _secrets(text: str) -> dict[str, str]:
    return dict(json.loads(text)) if text else {}
