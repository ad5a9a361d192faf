"""The rows of a fleet: of a portal, and of an appliance that links to one."""

from __future__ import annotations

from fleet.models.entry import Entry, EntryKey, EntryStatus, GroupSettings
from fleet.models.link import Link
from fleet.models.portal import PortalState
from fleet.models.published import PolicyZone, Publication
from fleet.models.rollout import Rollout, RolloutState

__all__ = [
    "Entry",
    "EntryKey",
    "EntryStatus",
    "GroupSettings",
    "Link",
    "PolicyZone",
    "PortalState",
    "Publication",
    "Rollout",
    "RolloutState",
]
