"""Where this portal's zones are served, as the environment says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from fleet.primary.base import Key
from fleet.protocol.base import PORT


@dataclass(frozen=True, slots=True)
class PortalPlace:
    """How devices reach this portal, and what its names end in."""

    domain: str
    host: str
    port: int
    tls_name: str  # of the certificate; "" for the host
    secondaries: tuple[str, ...]  # where policies are transferred from; none: from the host
    key: Key  # the console's own

    @property
    def policy_servers(self) -> tuple[str, ...]:
        """Where devices transfer policies from: host or host:port."""
        return self.secondaries or (self.host,)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORT else f"{host}:{self.port}"


def portal_place() -> PortalPlace | None:
    """Return where this portal is served; None where this console is no portal."""
    told: Any = settings.TSCM_PORTAL
    if told.primary is None:
        return None
    return PortalPlace(
        domain=told.domain,
        host=told.address.host if told.address else _own_host(),
        port=told.address.port if told.address else PORT,
        tls_name=told.tls_name,
        secondaries=told.secondaries,
        key=Key(f"portal.{told.domain}", told.key),
    )


def _own_host() -> str:
    """Return the name that people reach the console by."""
    return urlsplit(settings.TSCM_CONSOLE_URL).hostname or settings.TSCM_NODE
