"""The kinds of device we serve, one module a brand."""

from __future__ import annotations

from devices.kinds.base import Kind
from devices.kinds.firepower import FIREPOWER

KINDS: dict[str, Kind] = {FIREPOWER.name: FIREPOWER}
CHOICES = [(kind.name, kind.label) for kind in KINDS.values()]
