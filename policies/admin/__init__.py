"""The admin pages of policies, sources and what happened to them."""

from __future__ import annotations

from policies.admin import (
    alarm,
    alarm_target,
    change,
    list_record,
    policy,
    protected,
    records,
    snapshot,
    source,
)

__all__ = [
    "alarm", "alarm_target", "change", "list_record", "policy", "protected", "records", "snapshot",
    "source",
]  # fmt: skip
