"""The admin pages of policies, sources and what happened to them."""

from __future__ import annotations

from policies.admin import policy, protected, records, source

__all__ = ["policy", "protected", "records", "source"]
