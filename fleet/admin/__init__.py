"""The admin pages of a fleet: entries, what groups inherit, published policies, rollouts."""

from __future__ import annotations

from fleet.admin import entry, group_settings, publication, rollout

__all__ = ["entry", "group_settings", "publication", "rollout"]
