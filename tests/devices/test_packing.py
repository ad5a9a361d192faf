"""A device that holds fewer entries than its policy has gets what matters most."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from devices.health import HealthState, health_of
from devices.models import Device
from devices.reports.left_out import NothingLeftOut, left_out_text
from devices.services import pack_for_devices, published_device
from netsets.parse import parse_text
from policies.models import Packing, Policy
from policies.services import compile_policy_now, protect_network, prune
from policies.states import Expectation, Role
from policies.store import feed_path
from tests.factories import make_device, make_policy, make_source, publish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def served(device: Device) -> list[str]:
    """Return the lines of the block list that the device is served."""
    published = published_device(device.device_id)
    assert published is not None
    body = feed_path(published.feeds["block"].digest, ".txt").read_text(encoding="ascii")
    return body.splitlines()


def two_lists(now: datetime, **columns: object) -> Policy:
    """Return a policy that takes four hosts for less important than a network and a host."""
    policy = make_policy(now=now, block=["5.6.0.0/24", "5.7.0.1"], allow=["9.0.0.1"], **columns)
    policy.policy_sources.filter(role=Role.BLOCK).update(priority=1)
    minor = make_source(entries=[f"6.0.0.{n}" for n in (1, 3, 5, 7)], now=now, name="minor")
    policy.policy_sources.create(source=minor, role=Role.BLOCK, priority=50)
    return policy


def small(policy: Policy, *, now: datetime, most: int) -> Device:
    device = make_device(policy=policy, now=now, max_policy_size=str(most))
    publish(policy, now=now)
    pack_for_devices(now=now)
    return Device.objects.select_related("policy__current").get(pk=device.pk)


def test_what_does_not_fit_is_left_out_by_priority_and_said(now: datetime) -> None:
    device = small(two_lists(now), now=now, most=4)
    assert served(device) == ["5.6.0.0/24", "5.7.0.1", "6.0.0.1"]
    packing = Packing.objects.get()
    assert (packing.entries, packing.left_out["prefixes"]) == (4, 3)
    assert packing.dropped == [["minor", 3, 3]]
    Device.objects.filter(pk=device.pk).update(last_pull_at=now, last_pull_number=1)
    health = health_of(Device.objects.get(pk=device.pk), now=now)
    assert health.state == HealthState.CUT
    assert "3 prefixes of minor" in health.detail


def test_neighbours_are_merged_only_where_the_policy_allows_it(now: datetime) -> None:
    policy = two_lists(now, merge_to4=29)
    Policy.objects.filter(pk=policy.pk).update(growth_limit=100_000)
    device = small(policy, now=now, most=4)
    assert "6.0.0.0/29" in served(device)
    assert Packing.objects.get().added["addresses4"] == 4


def test_devices_of_one_size_are_packed_for_once(now: datetime) -> None:
    policy = two_lists(now)
    for most in (4, 4, 4, 5):
        make_device(policy=policy, now=now, max_policy_size=str(most))
    publish(policy, now=now)
    assert pack_for_devices(now=now) == 2
    assert pack_for_devices(now=now + HOUR) == 0


def test_the_allow_list_is_never_cut(now: datetime) -> None:
    device = small(two_lists(now), now=now, most=2)
    published = published_device(device.device_id)
    assert published is not None
    allowed = feed_path(published.feeds["allow"].digest, ".txt").read_text(encoding="ascii")
    assert (served(device), allowed) == (["5.6.0.0/24"], "9.0.0.1\n")


def test_a_device_without_room_for_the_allow_list_is_told_so(now: datetime) -> None:
    device = small(two_lists(now), now=now, most=1)
    published = published_device(device.device_id)
    assert published is not None
    assert published.feeds == {}
    assert health_of(device, now=now).state == HealthState.TOO_LARGE


def test_a_device_that_holds_it_all_is_served_the_snapshot_itself(now: datetime) -> None:
    policy = two_lists(now)
    large = small(policy, now=now, most=7)
    assert len(served(large)) == 6
    assert not Packing.objects.exists()


def test_the_next_snapshot_is_packed_anew_and_until_then_the_last_one_stays(now: datetime) -> None:
    policy = two_lists(now)
    device = small(policy, now=now, most=4)
    minor = policy.sources.get(name="minor")
    minor.settings = {"entries": ["7.0.0.1", "7.0.0.3", "7.0.0.5", "7.0.0.7"]}
    minor.save()
    publish(policy, now=now + HOUR)
    assert "6.0.0.1" in served(device)
    assert pack_for_devices(now=now + HOUR) == 1
    assert "7.0.0.1" in served(device)
    assert pack_for_devices(now=now + HOUR) == 0


def test_every_prefix_that_is_left_out_is_listed(now: datetime) -> None:
    device = small(two_lists(now), now=now, most=4)
    assert b"".join(left_out_text(device)) == b"6.0.0.3\n6.0.0.5\n6.0.0.7\n"


def test_nothing_is_left_out_for_a_device_that_holds_it_all(now: datetime) -> None:
    device = small(two_lists(now), now=now, most=7)
    assert device.packing is None
    with pytest.raises(NothingLeftOut, match=device.nickname):
        left_out_text(device)


def test_the_file_of_a_packing_is_kept_as_long_as_its_snapshot(now: datetime) -> None:
    import os

    device = small(two_lists(now), now=now, most=4)
    for path in feed_path("x", "").parent.iterdir():
        os.utime(path, (0, 0))
    prune(now=datetime.now(tz=now.tzinfo), keep=1, held=[])
    assert len(served(device)) == 3


def test_other_priorities_pack_the_same_snapshot_anew(now: datetime) -> None:
    device = small(two_lists(now), now=now, most=5)
    assert "5.6.0.0/24" in served(device)
    links = device.policy.policy_sources
    links.exclude(source__name="minor").update(priority=90)
    assert pack_for_devices(now=now + HOUR) == 1
    assert served(device) == ["6.0.0.1", "6.0.0.3", "6.0.0.5", "6.0.0.7"]
    assert pack_for_devices(now=now + 2 * HOUR) == 0


def test_what_is_protected_since_then_is_not_merged_over_any_more(now: datetime) -> None:
    """The policy's own list never held the address, so that no new snapshot comes of it."""
    policy = two_lists(now, merge_to4=29)
    Policy.objects.filter(pk=policy.pk).update(growth_limit=100_000)
    device = small(policy, now=now, most=5)
    assert "6.0.0.0/29" in served(device)
    protect_network(network="6.0.0.2", reason="ours", actor="test", now=now)
    compile_policy_now(policy_id=policy.pk, now=now + HOUR)
    pack_for_devices(now=now + HOUR)
    policy.refresh_from_db()
    assert policy.last_number == 1
    assert "6.0.0.2" not in parse_text("\n".join(served(device)).encode()).addresses
    Policy.objects.filter(pk=policy.pk).update(merge_to4=None)
    pack_for_devices(now=now + 2 * HOUR)
    assert not any(line.startswith("6.0.0.0/") for line in served(device))


def test_a_packed_list_that_the_disk_lost_is_packed_again(now: datetime) -> None:
    device = small(two_lists(now), now=now, most=4)
    path = feed_path(Packing.objects.get().digest, ".txt")
    whole = path.read_bytes()
    path.unlink()
    pack_for_devices(now=now + HOUR)
    assert path.read_bytes() == whole
    assert served(device) == ["5.6.0.0/24", "5.7.0.1", "6.0.0.1"]


def test_merging_never_blocks_what_a_policy_test_says_must_not_be(now: datetime) -> None:
    policy = two_lists(now, merge_to4=29)
    Policy.objects.filter(pk=policy.pk).update(growth_limit=100_000)
    device = small(policy, now=now, most=5)
    assert "6.0.0.0/29" in served(device)
    policy.tests.create(expect=Expectation.NOT_BLOCKED, network="6.0.0.4", note="a partner")
    assert pack_for_devices(now=now + HOUR) == 1
    held = parse_text("\n".join(served(device)).encode()).addresses
    assert "6.0.0.4" not in held
    assert "5.6.0.9" in held


def test_what_a_policy_test_wants_blocked_is_kept_before_all_else(now: datetime) -> None:
    policy = two_lists(now)
    policy.tests.create(expect=Expectation.BLOCKED, network="6.0.0.7", note="a worm")
    device = small(policy, now=now, most=4)
    assert served(device) == ["5.6.0.0/24", "5.7.0.1", "6.0.0.7"]


def test_a_list_too_short_for_its_policy_tests_is_not_served(
    now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    policy = two_lists(now)
    for last in (1, 3, 5, 7):
        policy.tests.create(expect=Expectation.BLOCKED, network=f"6.0.0.{last}")
    device = small(policy, now=now, most=4)
    published = published_device(device.device_id)
    assert published is not None
    assert published.feeds == {}
    assert "the policy test 6.0.0.7 fails in 3 entries" in caplog.text
