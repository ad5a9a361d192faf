"""The wiring: environment, settings, schedule, queue and URLs."""

from __future__ import annotations
