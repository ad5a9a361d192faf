"""Between a receiver and the rows: nothing is told twice for nothing, and the last word is told."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError

from logs import services
from logs.liaison import Liaison
from logs.models import Receiver
from logs.receiver.report import Report, SpoolEntry
from logs.receiver.senders import KnownSender
from tests.logs.services.site import make_report

pytestmark = pytest.mark.django_db
FMC = KnownSender(1, "fmc", "tdid_fmc", ("192.0.2.1",))
ASA = KnownSender(2, "asa", "tdid_asa", ("192.0.2.2",))


class Told:
    """A receiver that remembers what it is told."""

    is_tight = False
    is_alive = True
    tended = 0

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.spools: tuple[SpoolEntry, ...] = ()
        self.followed: list[tuple[KnownSender, ...]] = []

    def tend(self) -> None:
        self.tended += 1

    def start(self, senders: Iterable[KnownSender]) -> None: ...

    def stop(self) -> None: ...

    def report(self, *, is_last: bool = False) -> Report:
        return make_report(self.now, *self.spools, is_last=is_last)

    def follow(self, senders: Iterable[KnownSender]) -> None:
        self.followed.append(tuple(senders))

    def ask_rotation(self, asked: Mapping[int, datetime]) -> None: ...

    def set_disk_bytes(self, sizes: Mapping[int, int]) -> None: ...


class Site:
    """A liaison, its receiver, and the senders that the rows name."""

    def __init__(self, now: datetime, folder: Path) -> None:
        self.now, self.receiver, self.path = now, Told(now), folder / "senders.json"
        self.senders: tuple[KnownSender, ...] = (FMC, ASA)
        self.liaison = Liaison(self.receiver, senders=lambda: self.senders, remembered=self.path)
        assert self.liaison.first_senders() == self.senders

    def step(self, *senders: KnownSender, times: int = 1) -> None:
        self.senders = senders
        for _ in range(times):
            assert self.liaison.step(now=self.now)

    def remembered(self) -> list[tuple[str, int]]:
        return [(one["nickname"], one["least_number"]) for one in json.loads(self.path.read_text())]


@pytest.fixture
def site(now: datetime, tmp_path: Path, settings: object) -> Site:
    return Site(now, tmp_path)


def test_a_batch_that_a_device_closes_is_no_news_of_senders(site: Site) -> None:
    before = site.path.stat().st_ino
    site.step(replace(FMC, least_number=2), ASA)
    site.step(replace(FMC, least_number=2), replace(ASA, least_number=9))
    assert site.receiver.followed == []
    assert site.path.stat().st_ino == before


def test_news_of_a_device_come_with_the_numbers_that_all_of_them_have_by_then(site: Site) -> None:
    site.step(replace(FMC, least_number=7), ASA)
    new = KnownSender(3, "new", "tdid_new", ("192.0.2.3",), least_number=4)
    site.step(replace(FMC, least_number=7), ASA, new)
    assert site.receiver.followed == [(replace(FMC, least_number=7), ASA, new)]
    assert site.remembered() == [("fmc", 7), ("asa", 1), ("new", 4)]


def test_a_spool_that_is_opened_later_gets_the_number_of_that_time(site: Site) -> None:
    site.step(replace(FMC, least_number=2), ASA)
    site.receiver.spools = (SpoolEntry(FMC.key, None, 0, 0, None, None, trouble="no disk"),)
    site.step(replace(FMC, least_number=2), ASA)
    site.step(replace(FMC, least_number=2), replace(ASA, least_number=5))
    assert site.receiver.followed == [(replace(FMC, least_number=2), ASA)]


def test_numbers_are_remembered_now_and_then_for_a_start_without_rows(site: Site) -> None:
    site.step(replace(FMC, least_number=2), ASA)
    assert site.remembered() == [("fmc", 1), ("asa", 1)]
    site.step(replace(FMC, least_number=2), ASA, times=60)
    assert site.remembered() == [("fmc", 2), ("asa", 1)]
    assert site.receiver.followed == []


def test_after_a_report_that_was_held_up_the_last_one_is_told_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(services, "record_report", away)
        assert not site.liaison.step(now=site.now)
    assert site.liaison.step(now=site.now, is_last=True)
    assert Receiver.objects.get().stopped_at == site.now


def test_what_was_remembered_is_what_a_start_without_rows_begins_with(site: Site) -> None:
    def away() -> tuple[KnownSender, ...]:
        raise OperationalError("gone")

    receiver = Told(site.now)
    liaison = Liaison(receiver, senders=away, remembered=site.path)
    assert liaison.first_senders() == (FMC, ASA)


def test_while_the_database_is_away_the_receiver_is_looked_after(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_arguments: object) -> None:
        raise OperationalError("no database")

    monkeypatch.setattr(services, "record_report", away)
    assert not site.liaison.step(now=site.now)
    assert not site.liaison.step(now=site.now)
    assert site.receiver.tended == 2


def test_a_disk_in_trouble_does_not_end_receiving(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(services, "free_bytes", broken)
    site.step(FMC, ASA, times=10)


def test_a_receiver_whose_thread_ended_is_left_to_be_started_anew(
    site: Site, tmp_path: Path
) -> None:
    site.receiver.is_alive = False
    stop = threading.Event()
    with pytest.raises(CommandError, match="ended by itself"):
        site.liaison.attend(stop, alive=tmp_path / "run" / "alive", clock=lambda: site.now)
    assert Receiver.objects.get().stopped_at == site.now


def test_rows_that_cannot_be_written_are_told_of_every_minute_with_the_reason(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(**_: object) -> None:
        raise OperationalError("Expression tree is too large")

    with monkeypatch.context() as patched:
        patched.setattr(services, "record_report", refused)
        for seconds in (0, 1, 59, 60, 61, 125):
            assert not site.liaison.step(now=site.now + timedelta(seconds=seconds))
    assert caplog.text.count("takes nothing (Expression tree is too large)") == 3
    site.step(FMC, ASA)
    assert caplog.text.count("the database is back") == 1
