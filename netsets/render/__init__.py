"""Prefixes as the bytes a client reads: one module a format."""

from __future__ import annotations

from collections.abc import Callable

from netsets.cidr import Prefixes
from netsets.render import text

FORMATS: dict[str, Callable[[Prefixes], bytes]] = {"text": text.render}
