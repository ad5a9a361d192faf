"""Whether the console's process can do its work, for whatever watches it."""

from __future__ import annotations

from tscm_site.health.report import readiness

__all__ = ["readiness"]
