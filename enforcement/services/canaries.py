"""Whom a gateway must still reach after a change: what the site names, and what it stands on."""

from __future__ import annotations
