from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.files.storage import storages
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.reports.why import DeviceAnswer, Why, why
from devices.services import (
    PullRecord,
    assign_policy,
    configure_device,
    pack_for_devices,
    record_pulls,
)
from netsets.span import Span
from policies.models import Policy, Snapshot
from tests.factories import make_device, make_policy, publish, republish

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def ask(text: str, *, at: datetime | None = None) -> Why:
    return why(span=Span.of(text), at=at)


def pull(device: Device, number: int | None, *, at: datetime, **other: object) -> None:
    record = {
        "device_pk": device.pk, "at": at, "client": "192.0.2.250", "agent": "",
        "file": "threatstop-block.txt", "method": "GET", "status": 200,
        "snapshot_number": number, "sent": 1, "is_complete": True,
    } | other  # fmt: skip
    record_pulls(records=[PullRecord(**record)])  # type: ignore[arg-type]


def the_device(answer: Why) -> DeviceAnswer:
    (device,) = answer.devices
    return device


def test_each_policy_and_device_has_an_answer_of_its_own(now: datetime) -> None:
    for number, lists in enumerate((["5.6.0.0/16"], ["5.6.7.0/25"], ["9.9.9.9"]), start=1):
        policy = make_policy(now=now, block=lists, name=f"edge-{number}")
        make_device(policy=policy, now=now, nickname=f"fmc-{number}")
        publish(policy, now=now)
    answer = ask("5.6.7.0/24")
    assert [(one.policy.name, one.blocked) for one in answer.policies] == [
        ("edge-1", "wholly"),
        ("edge-2", "partly"),
        ("edge-3", "not"),
    ]
    assert [(one.device.nickname, one.blocked) for one in answer.devices] == [
        ("fmc-1", "wholly"),
        ("fmc-2", "partly"),
        ("fmc-3", "not"),
    ]
    assert answer.blocked == "wholly"
    assert [one.policy.name for one in answer.blocking] == ["edge-1", "edge-2"]


def test_a_site_without_anything_has_an_answer() -> None:
    assert ask("2001:db8::1") == Why(Span.of("2001:db8::1"), None, (), (), ())
    assert ask("2001:db8::1").blocked == "not"


def test_what_published_nothing_blocks_nothing(now: datetime) -> None:
    make_device(policy=make_policy(now=now), now=now)
    for at in (None, now + HOUR):
        (policy,) = ask("1.2.3.4", at=at).policies
        assert (policy.answer, policy.trouble, policy.blocked) == (None, "", "not")
    device = the_device(ask("1.2.3.4"))
    assert (device.snapshot, device.trouble, device.blocked) == (None, "", "not")


def test_a_device_with_updates_off_answers_for_the_snapshot_it_keeps(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.8", "9.9.9.9"])
    device = make_device(policy=policy, now=now)
    first = publish(policy, now=now)
    configure_device(device=device, changes={"policy_updates": "no"}, actor="test", now=now)
    policy.refresh_from_db()
    Policy.objects.update(is_paused=False)
    republish(policy, "9.9.9.9", now=now + HOUR)
    answer = ask("5.6.7.8")
    assert answer.policies[0].blocked == "not"
    assert (the_device(answer).snapshot, the_device(answer).blocked) == (first, "wholly")


def test_a_small_device_answers_for_what_was_packed_for_it(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/16", "7.7.7.7", "8.1.1.1", "8.3.3.3"])
    small = make_device(policy=policy, now=now, nickname="small", max_policy_size="2")
    make_device(policy=policy, now=now, nickname="whole")
    snapshot = publish(policy, now=now)
    pack_for_devices(now=now)
    pull(small, 1, at=now)
    packed = snapshot.packings.get()
    lost = {"8.1.1.1", "8.3.3.3"}
    assert packed.dropped
    for at in (None, now + HOUR):
        found = {text: ask(text, at=at).devices[0] for text in sorted(lost)}
        assert {one.packing for one in found.values()} == {packed}
        assert {text for text, one in found.items() if one.blocked == "not"} == lost
        assert ask("5.6.1.1", at=at).devices[0].blocked == "wholly"
    assert [one.blocked for one in ask("8.1.1.1").devices] == ["not", "wholly"]


def test_a_device_too_small_for_what_it_had_pulled_cannot_tell(now: datetime) -> None:
    policy = make_policy(now=now, block=["5.6.7.8", "7.7.7.7"])
    device = make_device(policy=policy, now=now)
    publish(policy, now=now)
    pull(device, 1, at=now)
    Device.objects.update(max_policy_size=1)
    found = the_device(ask("5.6.7.8", at=now + HOUR))
    assert (found.blocked, found.trouble) == ("not", "snapshot 1 is larger than the device holds")


@pytest.fixture
def device(now: datetime) -> Device:
    """A device whose policy dropped an address after an hour, and took another."""
    policy = make_policy(now=now, block=["5.6.7.8", "9.9.9.9"])
    device = make_device(policy=policy, now=now, nickname="fmc")
    publish(policy, now=now)
    republish(policy, "7.7.7.7", "9.9.9.9", now=now + HOUR)
    return device


def test_a_past_moment_is_answered_from_the_snapshot_of_then(device: Device, now: datetime) -> None:
    then = ask("5.6.7.8", at=now + HOUR / 2)
    assert [one.blocked for one in then.policies] == ["wholly"]
    assert then.policies[0].answer is not None
    assert then.policies[0].answer.snapshot.number == 1
    assert [one.blocked for one in ask("5.6.7.8", at=now + HOUR).policies] == ["not"]
    assert [one.blocked for one in ask("5.6.7.8").policies] == ["not"]


def test_before_the_first_snapshot_kept_nothing_can_be_told(device: Device, now: datetime) -> None:
    (policy,) = ask("5.6.7.8", at=now - HOUR).policies
    assert (policy.answer, policy.trouble) == (None, "no snapshot of that moment is kept")


def test_a_device_had_at_a_moment_what_it_had_pulled_by_then(device: Device, now: datetime) -> None:
    pull(device, 1, at=now + HOUR / 4)
    pull(device, 2, at=now + 3 * HOUR)
    late = the_device(ask("5.6.7.8", at=now + 2 * HOUR))  # published, and not pulled yet
    assert (late.blocked, late.snapshot and late.snapshot.number) == ("wholly", 1)
    assert the_device(ask("5.6.7.8", at=now + 3 * HOUR)).blocked == "not"
    before = the_device(ask("5.6.7.8", at=now))
    assert (before.snapshot, before.trouble) == (None, "no pull of that time is kept")


@pytest.mark.parametrize(
    "other",
    [
        {"status": 503}, {"is_complete": False}, {"method": "HEAD"},
        {"file": "threatstop-allow.txt"}, {"snapshot_number": None},
    ],
    ids=str,
)  # fmt: skip
def test_only_a_whole_block_list_counts_as_pulled(
    other: dict[str, object], device: Device, now: datetime
) -> None:
    pull(device, 1, at=now + HOUR / 4)
    pull(device, 2, at=now + 2 * HOUR, **other)
    assert the_device(ask("5.6.7.8", at=now + 3 * HOUR)).blocked == "wholly"


def test_an_unchanged_list_counts_as_pulled(device: Device, now: datetime) -> None:
    pull(device, 1, at=now + HOUR / 4, status=304)
    assert the_device(ask("5.6.7.8", at=now + HOUR / 2)).blocked == "wholly"


def test_a_snapshot_that_is_not_kept_is_named(device: Device, now: datetime) -> None:
    pull(device, 1, at=now + HOUR / 4)
    Snapshot.objects.filter(number=1).delete()
    found = the_device(ask("5.6.7.8", at=now + HOUR / 2))
    assert found.trouble == "snapshot 1, which it had pulled, is not kept"


def test_a_device_is_not_held_to_the_numbers_of_another_policy(
    device: Device, now: datetime
) -> None:
    pull(device, 1, at=now + HOUR / 4)
    other = make_policy(now=now, block=["8.8.4.0/24"])
    publish(other, now=now)
    assign_policy(device=device, policy=other, actor="test", now=now + HOUR)
    for at in (now + HOUR / 2, now + 2 * HOUR):
        assert the_device(ask("5.6.7.8", at=at)).trouble == "it followed another policy then"
    pull(device, 1, at=now + 3 * HOUR)
    assert the_device(ask("8.8.4.1", at=now + 4 * HOUR)).blocked == "wholly"


def test_a_lost_snapshot_is_trouble_of_its_policy_and_its_devices_alone(
    device: Device, now: datetime
) -> None:
    publish(make_policy(now=now, block=["7.7.7.0/24"], name="whole"), now=now)
    digest = Policy.objects.get(pk=device.policy_id).current.block_digest  # type: ignore[union-attr]
    storages["sets"].delete(f"{digest[:2]}/{digest}")
    answer = ask("7.7.7.7")
    troubles = {one.policy.name: one.trouble for one in answer.policies}
    assert troubles["whole"] == ""
    assert troubles[device.policy.name].startswith("snapshot 2 cannot be read: ")
    assert the_device(answer).trouble == troubles[device.policy.name]
    assert answer.blocked == "wholly"


def queries(at: datetime | None) -> int:
    with CaptureQueriesContext(connection) as captured:
        ask("5.6.7.8", at=at)
    return len(captured)


@pytest.mark.parametrize("hours", [None, 1 / 2])
def test_answers_ask_the_database_the_same_for_one_device_and_for_many(
    hours: float | None, device: Device, now: datetime
) -> None:
    at = None if hours is None else now + hours * HOUR
    small = make_device(policy=device.policy, now=now, nickname="small", max_policy_size="1")
    for one in (device, small):
        pull(one, 1, at=now)
    few = queries(at)
    for number in range(4):
        size = {"max_policy_size": "1"} if number % 2 else {}
        more = make_device(policy=device.policy, now=now, nickname=f"more-{number}", **size)
        pull(more, 1, at=now)
    assert queries(at) == few


def test_a_device_too_small_for_the_newest_snapshot_keeps_the_last_that_fits(
    now: datetime,
) -> None:
    policy = make_policy(now=now, block=["5.6.7.8"])
    device = make_device(policy=policy, now=now, max_policy_size="1")
    publish(policy, now=now)
    republish(policy, "5.6.7.8", "7.7.7.7", now=now + HOUR)
    found = the_device(ask("7.7.7.7"))
    assert (found.device, found.blocked, found.packing) == (device, "not", None)
    assert found.snapshot is not None
    assert found.snapshot.number == 1
    assert the_device(ask("5.6.7.8")).blocked == "wholly"
