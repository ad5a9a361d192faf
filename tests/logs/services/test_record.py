"""What a receiver tells is written down whole, once, and adds up at any moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from devices.models import Device
from devices.services import remove_device
from logs.models import Batch, Receiver, Sender, Spool
from logs.receiver.report import SenderEntry, SpoolEntry
from logs.reports.ledger import Ledger, ledger_of
from logs.services import ask_rotation, known_senders, record_report, rotations_asked
from logs.services.record import SENDERS_MOST
from logs.spool.base import Counters, Manifest
from logs.states import BatchState
from tests.factories import make_device, make_gateway, make_policy
from tests.logs.rows import sum_up
from tests.logs.services.site import NODE, make_report, make_sensor, tell

pytestmark = pytest.mark.django_db


def stranger(now: datetime, address: str, *, lines: int = 1) -> SenderEntry:
    return SenderEntry(address, lines, 30 * lines, ("udp",), now, now, b"<113>some line\n")


def test_open_lines_wait_and_a_closed_batch_becomes_a_row(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(7)
    tell(now, sensor.entry())
    assert (ledger_of(sensor.device).open, ledger_of(sensor.device).waiting) == (7, 7)
    manifest = sensor.rotate()
    sensor.receive(2)
    tell(now, sensor.entry())
    batch = Batch.objects.get()
    assert (batch.number, batch.lines, batch.sha256) == (1, 7, manifest.sha256)
    assert (batch.state, batch.due_at, batch.device_id) == (
        BatchState.WAITING, now, sensor.device.device_id,
    )  # fmt: skip
    ledger = ledger_of(sensor.device)
    assert (ledger.received, ledger.spooled, ledger.waiting, ledger.open) == (9, 9, 9, 2)
    assert ledger.is_balanced


def test_a_batch_that_is_told_twice_is_one_row(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(3)
    sensor.rotate()
    entry = sensor.entry()
    tell(now, entry)
    tell(now + timedelta(seconds=2), entry)
    assert Batch.objects.count() == 1
    assert ledger_of(sensor.device).is_balanced


def test_another_batch_under_a_known_number_is_said_and_not_taken(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(3)
    manifest = sensor.rotate()
    entry = sensor.entry()
    tell(now, entry)
    tell(now, replace(entry, closed=(replace(manifest, sha256="0" * 64),)))
    assert "Batch 1 is another one" in sensor.spool.trouble
    assert Batch.objects.get().sha256 == manifest.sha256


def test_what_was_missed_is_dated_when_it_grows_and_not_else(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(1)
    tell(now, sensor.entry())
    assert sensor.spool.missed_at is None
    sensor.files.refuse(5)
    sensor.files.refuse_over_quota(6)
    tell(now, sensor.entry())
    tell(now + timedelta(seconds=9), sensor.entry())
    spool = sensor.spool
    assert (spool.refused, spool.over_quota, spool.missed_at) == (5, 6, now)
    assert spool.received == spool.spooled + spool.missed


def test_a_spool_that_cannot_be_opened_keeps_its_counts_and_says_why(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(4)
    tell(now, sensor.entry())
    tell(now, replace(sensor.entry(), counters=None, open_lines=0, trouble="read-only"))
    assert (sensor.spool.open_lines, sensor.spool.trouble) == (4, "read-only")
    assert ledger_of(sensor.device).is_balanced


def test_counters_that_do_not_add_up_are_shown_as_they_are(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(4)
    tell(now, replace(sensor.entry(), open_lines=3))
    assert not ledger_of(sensor.device).is_spooled_balanced
    assert ledger_of(sensor.device).is_received_balanced


def test_the_ledger_goes_on_when_the_disk_of_a_spool_was_replaced(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(10)
    sensor.receive(3)
    sensor.files.refuse(2)
    tell(now, sensor.entry())
    anew = replace(sensor.entry(), counters=Counters(received=5, spooled=5), open_lines=5)
    tell(now, anew)
    ledger = ledger_of(sensor.device)
    assert ledger.is_balanced
    assert (ledger.received, ledger.waiting, ledger.lost, ledger.refused) == (20, 15, 3, 2)
    tell(now, replace(anew, counters=Counters(received=9, spooled=8, refused=1), open_lines=8))
    ledger = ledger_of(sensor.device)
    assert ledger.is_balanced
    assert (ledger.received, ledger.waiting, ledger.lost, ledger.refused) == (24, 18, 3, 3)


def test_the_ledger_goes_on_when_counters_were_counted_anew_from_the_files(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(10)
    sensor.receive(3)
    sensor.files.refuse(2)
    tell(now, sensor.entry())
    tell(now, replace(sensor.entry(), counters=Counters(received=12, spooled=12), open_lines=2))
    ledger = ledger_of(sensor.device)
    assert ledger.is_balanced
    assert (ledger.received, ledger.spooled, ledger.refused, ledger.lost) == (15, 12, 2, 1)


def test_counters_that_go_back_twice_invent_no_lines(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(80)
    sensor.rotate()
    entry = replace(sensor.entry(), counters=Counters(100, 100), open_lines=20)
    tell(now, entry)
    # A disk that was replaced: the 20 open lines are gone, the 80 of the batch are rows.
    tell(now, replace(entry, counters=Counters(5, 5), open_lines=5, closed=()))
    assert (ledger_of(sensor.device).received, ledger_of(sensor.device).lost) == (105, 20)
    fifty = replace(entry.closed[0], number=2, lines=50)
    tell(now, replace(entry, counters=Counters(70, 70), open_lines=20, closed=(fifty,)))
    before = ledger_of(sensor.device)
    assert (before.received, before.spooled, before.lost) == (170, 150, 20)
    # Power that was cut forgot 5 of the open lines.
    tell(now, replace(entry, counters=Counters(65, 65), open_lines=15, closed=()))
    after = ledger_of(sensor.device)
    assert (after.received, after.spooled, after.lost) == (170, 145, 25)
    assert after.is_balanced


@hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["receive", "close", "forget", "tell"]),
                          st.integers(1, 9)), max_size=20))  # fmt: skip
def test_a_ledger_whose_counters_go_back_forgets_no_line_and_invents_none(
    now: datetime, steps: list[tuple[str, int]]
) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(1)
    told = Told(sensor.entry(), sensor.rotate())
    sensor.files.close()
    received = 0
    for step, lines in steps:
        if step == "receive":
            told.open += lines
            received += lines
        elif step == "close" and told.open:
            told.close()
        elif step == "forget":  # nothing of it is told: what nobody wrote down never came
            told.tell(now)
            told.open = max(0, told.open - lines)
        told.tell(now)
        ledger = ledger_of(sensor.device)
        assert ledger.is_balanced
        assert (ledger.received, ledger.waiting) == (received, told.batches + told.open)


class Told:
    """What a receiver tells of a spool, in numbers alone."""

    def __init__(self, entry: SpoolEntry, manifest: Manifest) -> None:
        self._entry, self._manifest = entry, manifest
        self._closed: list[Manifest] = []
        self.open = self.batches = 0

    def close(self) -> None:
        """Make a batch of the open lines."""
        number = self._manifest.number + 1
        self._manifest = replace(self._manifest, number=number, lines=self.open)
        self._closed.append(self._manifest)
        self.batches, self.open = self.batches + self.open, 0

    def tell(self, now: datetime) -> None:
        """Tell it."""
        lines = self.batches + self.open
        counters, closed = Counters(lines, lines), tuple(self._closed)
        tell(now, replace(self._entry, counters=counters, open_lines=self.open, closed=closed))
        self._closed = []


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["receive", "rotate", "refuse", "tell", "tell again"]), max_size=25)
)
def test_the_ledger_of_the_rows_adds_up_whatever_happens(now: datetime, steps: list[str]) -> None:
    sensor = make_sensor(now=now)
    entry = sensor.entry()
    for step in steps:
        if step == "receive":
            sensor.receive(3)
        elif step == "rotate" and sensor.files.state.lines:
            sensor.rotate()
        elif step == "refuse":
            sensor.files.refuse(1)
        elif step == "tell":
            entry = sensor.entry()
            tell(now, entry)
        elif step == "tell again":
            tell(now, entry)
        assert ledger_of(sensor.device).is_balanced
    tell(now, sensor.entry())
    assert ledger_of(sensor.device).spooled == sensor.files.state.counters.spooled
    sensor.files.close()


def test_one_statement_reads_a_ledger_so_that_no_writer_comes_between(
    now: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(1, 2)
    with django_assert_num_queries(1):
        assert ledger_of(sensor.device).waiting == 3
    assert ledger_of(make_device(policy=make_policy(now=now), now=now)) == Ledger()


def test_a_gap_in_the_numbers_shows(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.close_batches(1, 1, 1)
    Batch.objects.filter(number=2).delete()
    sum_up()
    assert ledger_of(sensor.device).batches_missing == 1


def test_a_device_that_is_gone_holds_up_nobody(now: datetime) -> None:
    gone, there = make_sensor(now=now), make_sensor(now=now)
    gone.receive(1)
    there.receive(1)
    entries = gone.entry(), there.entry()
    remove_device(device=gone.device, actor="test", now=now)
    tell(now, *entries)
    assert [spool.device for spool in Spool.objects.all()] == [there.device]


def test_a_report_that_is_told_again_counts_strangers_once(now: datetime) -> None:
    report = make_report(now, senders=[stranger(now, "203.0.113.7", lines=5)], number=4)
    record_report(report=report, now=now)
    record_report(report=report, now=now)
    assert Sender.objects.get().lines == 5
    record_report(report=replace(report, number=5), now=now)
    assert Sender.objects.get().lines == 10
    again = replace(report, started_at=now, number=1)  # a new run begins anew
    record_report(report=again, now=now)
    assert Sender.objects.get().lines == 15


def test_strangers_are_added_up_by_address_and_shown_by_a_line_of_theirs(now: datetime) -> None:
    later = now + timedelta(minutes=1)
    senders = [
        replace(
            stranger(now, "::ffff:203.0.113.7", lines=2), sample=b"\x00\xff<113>%FTD\n" + b"x" * 500
        ),
        replace(stranger(later, "203.0.113.7", lines=3), transports=("tcp",), sample=b""),
        stranger(now, "2001:db8::7"),
    ]
    record_report(report=make_report(now, senders=senders), now=now)
    four, six = Sender.objects.order_by("-lines")
    assert (four.address, four.lines, four.transports) == ("203.0.113.7", 5, ["tcp", "udp"])
    assert (four.first_at, four.last_at) == (now, later)
    assert four.sample.startswith("·\ufffd<113>%FTD·xxx")
    assert len(four.sample) == 200
    assert six.address == "2001:db8::7"


def test_strangers_with_made_up_addresses_do_not_fill_the_database(now: datetime) -> None:
    kept = Sender.objects.create(address="203.0.113.1", first_at=now, last_at=now, is_ignored=True)
    many = [
        stranger(now + timedelta(seconds=n), f"198.51.{n // 250}.{n % 250}")
        for n in range(SENDERS_MOST + 7)
    ]
    record_report(report=make_report(now, senders=many), now=now)
    assert Sender.objects.filter(pk=kept.pk).exists()
    assert Sender.objects.filter(is_ignored=False).count() == SENDERS_MOST
    assert not Sender.objects.filter(address="198.51.0.0").exists()


def test_a_receiver_tells_of_itself(now: datetime) -> None:
    record_report(report=make_report(now, counters={"kernel_drops": 3, "cut": 1}), now=now)
    row = Receiver.objects.get(node=NODE)
    assert (row.kernel_drops, row.dropped_at) == (3, now)
    later = now + timedelta(minutes=5)
    record_report(report=make_report(now, counters={"kernel_drops": 3}), now=later)
    row = Receiver.objects.get()
    assert (row.dropped_at, row.reported_at, row.stopped_at) == (now, later, None)
    record_report(report=make_report(now, is_last=True), now=later)
    row = Receiver.objects.get()
    assert row.stopped_at == later
    anew = make_report(now, started_at=later, number=1, counters={"kernel_drops": 2})
    record_report(report=anew, now=later)
    row = Receiver.objects.get()
    assert (row.stopped_at, row.dropped_at, row.kernel_drops) == (None, later, 2)


def test_rotation_is_done_once_its_batch_is_a_row(now: datetime) -> None:
    sensor = make_sensor(now=now)
    sensor.receive(1)
    ask_rotation(device=sensor.device, now=now)
    assert rotations_asked() == {sensor.device.pk: now}
    tell(now, sensor.entry())
    assert rotations_asked() == {sensor.device.pk: now}
    sensor.rotate()
    tell(now, sensor.entry(rotated=rotations_asked()[sensor.device.pk]))
    assert rotations_asked() == {}
    assert Batch.objects.count() == 1


def test_rotation_that_is_asked_for_again_meanwhile_is_done_again(now: datetime) -> None:
    sensor = make_sensor(now=now)
    ask_rotation(device=sensor.device, now=now)
    asked = rotations_asked()[sensor.device.pk]
    again = now + timedelta(seconds=1)
    ask_rotation(device=sensor.device, now=again)
    tell(now, sensor.entry(rotated=asked))
    assert rotations_asked() == {sensor.device.pk: again}


def test_a_device_is_known_by_its_addresses_networks_and_names(now: datetime) -> None:
    sensor = make_sensor(
        now=now, management_ip="192.0.2.9", syslog_sources="192.0.2.0/28 2001:db8::/64 192.0.2.9",
        log_names="fw-a 1c8ff662-0000-0000-0000-000000000001", log_size="250k", log_quota="2G",
    )  # fmt: skip
    sensor.close_batches(1, 1)
    (known,) = known_senders()
    assert known.key == sensor.device.pk
    assert known.networks == ("192.0.2.9", "192.0.2.0/28", "2001:db8::/64")
    assert known.names == ("fw-a", "1c8ff662-0000-0000-0000-000000000001")
    assert (known.log_size, known.quota) == (250_000, 2_000_000_000)
    assert (known.least_number, known.is_kernel) == (3, False)


def test_a_sample_sends_nothing_and_this_machine_is_its_own_kernel(
    now: datetime, settings: Settings
) -> None:
    settings.TSCM_NODE = "here"
    make_gateway(now=now, node="here", nickname="gw-here")
    make_gateway(now=now, node="there", nickname="gw-there", management_ip="192.0.2.77")
    sample = make_device(policy=make_policy(now=now), now=now)
    Device.objects.filter(pk=sample.pk).update(is_sample=True)
    known = {one.nickname: one for one in known_senders()}
    assert set(known) == {"gw-here", "gw-there"}
    assert known["gw-here"].is_kernel
    assert (known["gw-there"].is_kernel, known["gw-there"].networks) == (False, ("192.0.2.77",))
