"""Every pull is written down; the last good one tells that the firewall still comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from devices.models import Device, Pull
from devices.services import PullRecord, prune_pulls, record_pulls
from tests.factories import make_device, make_policy

pytestmark = pytest.mark.django_db


@pytest.fixture
def record(now: datetime) -> PullRecord:
    device = make_device(policy=make_policy(now=now), now=now)
    return PullRecord(
        device_pk=device.pk, at=now, client="192.0.2.1", agent="curl/8", method="GET", status=200,
        file="threatstop-block.txt", snapshot_number=3, sent=10, is_complete=True,
    )  # fmt: skip


def test_who_when_what_and_how_much_are_kept(record: PullRecord) -> None:
    assert record_pulls(records=[record]) == 1
    pull = Pull.objects.get()
    assert (pull.client, pull.status, pull.snapshot_number, pull.sent) == ("192.0.2.1", 200, 3, 10)
    device = Device.objects.get()
    assert (device.last_pull_at, device.last_pull_number) == (record.at, 3)


@pytest.mark.parametrize(
    "failed", [{"status": 503}, {"is_complete": False}, {"method": "HEAD"}, {"status": 404}]
)
def test_a_pull_that_brought_no_list_is_no_sign_of_life(
    failed: dict[str, int], record: PullRecord
) -> None:
    record_pulls(records=[replace(record, **failed)])  # type: ignore[arg-type]
    assert Pull.objects.count() == 1
    assert Device.objects.get().last_pull_at is None


def test_an_older_record_does_not_turn_the_clock_back(record: PullRecord) -> None:
    record_pulls(records=[record])
    record_pulls(records=[replace(record, at=record.at - timedelta(hours=1), snapshot_number=2)])
    assert Device.objects.get().last_pull_number == 3


def test_pulls_of_a_removed_device_do_not_spoil_the_others(record: PullRecord) -> None:
    assert record_pulls(records=[record, replace(record, device_pk=10**6)]) == 1


def test_old_pulls_go(record: PullRecord) -> None:
    record_pulls(records=[record])
    assert prune_pulls(now=record.at + timedelta(days=36)) == 1


def test_a_pull_of_a_clock_that_was_set_back_does_not_hide_that_a_firewall_stopped(
    record: PullRecord,
) -> None:
    record_pulls(records=[replace(record, at=record.at + timedelta(days=900)), record])
    record_pulls(records=[replace(record, at=record.at + timedelta(seconds=9))])
    assert Device.objects.get().last_pull_at == record.at + timedelta(seconds=9)


def test_a_client_that_asks_without_end_fills_no_disk(
    record: PullRecord, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.services.pulls.PULLS_MOST", 3)
    quiet = make_device(policy=make_policy(now=now), now=now)
    record_pulls(records=[replace(record, device_pk=quiet.pk)])
    record_pulls(records=[replace(record, sent=number) for number in range(5)])
    assert prune_pulls(now=now) == 2
    kept = Pull.objects.exclude(device=quiet).order_by("pk").values_list("sent", flat=True)
    assert list(kept) == [2, 3, 4]
    assert quiet.pulls.count() == 1
