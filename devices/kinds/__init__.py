"""The kinds of device we serve, one module a brand."""

from __future__ import annotations

from devices.kinds.base import Kind
from devices.kinds.firepower import FIREPOWER
from devices.kinds.iptables import IPTABLES

KINDS: dict[str, Kind] = {FIREPOWER.name: FIREPOWER, IPTABLES.name: IPTABLES}
GATEWAYS = tuple(kind.name for kind in KINDS.values() if kind.is_gateway)
CHOICES = [(kind.name, kind.label) for kind in KINDS.values()]
