"""The way from nothing to the first protected device: ask, tell what to do, watch it happen."""

from __future__ import annotations
