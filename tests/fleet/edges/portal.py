"""Settings of a console that is a portal."""

from __future__ import annotations

from pathlib import Path

from pytest_django import Settings

from tscm_site.env_fleet import Place, PortalSettings


def be_portal(settings: Settings, folder: Path) -> None:
    """Make this console a portal whose primary nobody asks."""
    settings.TSCM_PORTAL = PortalSettings(
        primary=Place("127.0.0.1", 53), domain="tscm.internal", kind="bind", way="update",
        folder=folder, control=(), address=Place("portal.example.net", 5353), tls_name="",
        secondaries=(), key=bytes(32),
    )  # fmt: skip
