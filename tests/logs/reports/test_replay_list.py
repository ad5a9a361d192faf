"""A list that nobody uses yet is tried on what firewalls told of."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.utils import timezone

from logs.parsers.base import Action
from logs.reports import replay as one_policy, replay_list as lists
from logs.reports.event_files import ReportRefused
from logs.reports.replay_list import replay_list
from logs.states import Verdict
from netsets.cidr import AddressSet
from policies.decoders.base import Decoded
from policies.models import ProtectedAddress
from policies.store import put_set
from tests.factories import make_device, make_policy, publish
from tests.fakes.events import Made, write_events
from tests.logs.replay_site import HOUR

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def decoded(*entries: str) -> Decoded:
    return Decoded(AddressSet.of(*entries), entries=len(entries))


def test_what_a_policy_blocks_or_allows_or_protects_is_no_news(now: datetime) -> None:
    ProtectedAddress.objects.create(network="7.7.7.3", reason="the office")
    policy = make_policy(now=now, block=["7.7.7.1", "5.6.0.0/16"], allow=["7.7.7.2"])
    publish(policy, now=now)
    device = make_device(policy=policy, now=now)
    for last in range(5):
        write_events(device, [Made(now - HOUR, outside=f"7.7.7.{last}", action=Action.ALLOWED)])
    write_events(device, [Made(now - HOUR, outside="9.9.9.9", action=Action.ALLOWED)])
    write_events(device, [Made(now - HOUR, outside="5.6.0.1", list=policy.sources.get(
        policy_sources__role="block"
    ))])  # fmt: skip
    found = replay_list(decoded("7.7.7.0/24", "9.9.9.0/24"), sees=None, now=now)
    assert [(row.key, row.entry) for row in found.addresses] == [
        ("7.7.7.0", "7.7.7.0/24"), ("7.7.7.4", "7.7.7.0/24"),
    ]  # fmt: skip
    assert found.told.state == Verdict.DROPS
    assert "let pass" not in found.told.detail


def test_only_devices_that_are_seen_are_asked(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    write_events(device, [Made(now - HOUR, outside="7.7.7.7", action=Action.ALLOWED)])
    assert replay_list(decoded("7.7.7.7"), sees=frozenset({device.pk}), now=now).hosts
    found = replay_list(decoded("7.7.7.7"), sees=frozenset(), now=now)
    assert found.told.state == Verdict.NO_EVENTS


def test_more_policies_than_can_be_compared_are_refused(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        policy = make_policy(now=now)
        publish(policy, now=now)
        device = make_device(policy=policy, now=now)
    write_events(device, [Made(now - HOUR)])
    monkeypatch.setattr(lists, "POLICIES_MOST", 1)
    with pytest.raises(ReportRefused, match="More than 1 policies are in force"):
        replay_list(decoded("7.7.7.7"), sees=None, now=now)
    monkeypatch.setattr(one_policy, "POLICIES_MOST", 1)
    fresh = make_policy(now=now)
    publish(fresh, now=now)
    question = one_policy.read_replay({}, policy=fresh, now=now, sees=None)
    with pytest.raises(ReportRefused, match="follow 2 policies"):
        one_policy.replay_policy(question, now=now)
    question = one_policy.read_replay({"against": ["nothing"]}, policy=fresh, now=now, sees=None)
    assert one_policy.replay_policy(question, now=now).devices is None


def test_a_list_in_force_that_is_lost_is_told(now: datetime) -> None:
    policy = make_policy(now=now)
    snapshot = publish(policy, now=now)
    device = make_device(policy=policy, now=now)
    write_events(device, [Made(now - HOUR)])
    question = one_policy.read_replay({"what": ["now"]}, policy=policy, now=now, sees=None)
    snapshot.block_digest = "0" * 64
    snapshot.save(update_fields=["block_digest"])
    with pytest.raises(ReportRefused, match="A list cannot be read"):
        replay_list(decoded("7.7.7.7"), sees=None, now=now)
    with pytest.raises(ReportRefused, match="A list in force cannot be read"):
        one_policy.replay_policy(question, now=now)
    snapshot.block_digest = put_set(AddressSet.empty())
    snapshot.save(update_fields=["block_digest"])
    assert one_policy.replay_policy(question, now=now).replayed.dropped == 0
