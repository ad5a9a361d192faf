"""The rows of policies."""

from __future__ import annotations

from policies.models.alarm import Alarm, AlarmQuerySet
from policies.models.alarm_target import AlarmNews, AlarmNotice, AlarmTarget, TargetKind
from policies.models.change import Change
from policies.models.claim import Claimable, ClaimableQuerySet, ClaimLost
from policies.models.clock import Clock
from policies.models.policy import Policy, PolicySource, PolicyTest, ProtectedAddress
from policies.models.record import ListRecord
from policies.models.snapshot import Candidate, Feed, Packing, Snapshot
from policies.models.source import Retrieval, Source, SourceSecrets

__all__ = [
    "Alarm",
    "AlarmNews",
    "AlarmNotice",
    "AlarmQuerySet",
    "AlarmTarget",
    "Candidate",
    "Change",
    "ClaimLost",
    "Claimable",
    "ClaimableQuerySet",
    "Clock",
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
    "TargetKind",
]
