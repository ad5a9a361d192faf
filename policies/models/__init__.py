"""The rows of policies."""

from __future__ import annotations

from policies.models.change import Change
from policies.models.claim import Claimable, ClaimableQuerySet, ClaimLost
from policies.models.policy import Policy, PolicySource, ProtectedAddress
from policies.models.record import ListRecord
from policies.models.snapshot import Feed, Snapshot
from policies.models.source import Retrieval, Source

__all__ = [
    "Change",
    "ClaimLost",
    "Claimable",
    "ClaimableQuerySet",
    "Feed",
    "ListRecord",
    "Policy",
    "PolicySource",
    "ProtectedAddress",
    "Retrieval",
    "Snapshot",
    "Source",
]
