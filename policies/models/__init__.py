"""The rows of policies."""

from __future__ import annotations

from policies.models.alarm import Alarm
from policies.models.change import Change
from policies.models.claim import Claimable, ClaimableQuerySet, ClaimLost
from policies.models.policy import Policy, PolicySource, PolicyTest, ProtectedAddress
from policies.models.record import ListRecord
from policies.models.snapshot import Candidate, Feed, Packing, Snapshot
from policies.models.source import Retrieval, Source, SourceSecrets

__all__ = [
    "Alarm",
    "Candidate",
    "Change",
    "ClaimLost",
    "Claimable",
    "ClaimableQuerySet",
    "Feed",
    "ListRecord",
    "Packing",
    "Policy",
    "PolicySource",
    "PolicyTest",
    "ProtectedAddress",
    "Retrieval",
    "Snapshot",
    "Source",
    "SourceSecrets",
]
