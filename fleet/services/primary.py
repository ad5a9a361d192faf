"""This portal's primary, put together from what the environment says."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings

from fleet.primary.base import Primary
from fleet.primary.build import PrimarySettings, build_primary
from fleet.primary.forget import forget_statuses
from fleet.primary.statuses import StatusRecords, read_statuses


def primary_settings() -> PrimarySettings:
    """Return what the site says of its primary; only for a console that is a portal."""
    told: Any = settings.TSCM_PORTAL
    return PrimarySettings(
        host=told.primary.host,
        port=told.primary.port,
        domain=told.domain,
        kind=told.kind,
        way=told.way,
        folder=told.folder,
        control=told.control,
        key=told.key,
    )


def portal_primary() -> Primary:
    """Return the primary. Raises PrimaryRefused for a folder that none can use."""
    return build_primary(primary_settings())


def status_records(*, held: int | None) -> StatusRecords | None:
    """Return what devices wrote to the primary; None where it is what was `held`.

    Raises a PrimaryError.
    """
    told = primary_settings()
    return read_statuses(told.server, domain=told.domain, held=held)


def forget_devices(device_ids: Collection[str]) -> None:
    """Take what devices wrote off the primary, some at a time. Raises a PrimaryError."""
    told = primary_settings()
    forget_statuses(told.server, device_ids, domain=told.domain)
