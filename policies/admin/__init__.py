"""The admin pages of policies, sources and what happened to them."""

from __future__ import annotations

from policies.admin import list_record, policy, protected, records, source

__all__ = ["list_record", "policy", "protected", "records", "source"]
