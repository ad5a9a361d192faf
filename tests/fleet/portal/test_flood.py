"""A device that writes far more than a status loses the right to report, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

import dns.rcode
import pytest

from fleet.models import PortalState
from fleet.primary.base import Key
from fleet.protocol.base import Status
from fleet.protocol.client import report as report_to
from fleet.protocol.keys import read_key, tsig_name, tsig_secret
from fleet.reports.health import EntryHealth, FleetHealth, health_of
from fleet.services.entries import NewEntry, remove_entry
from fleet.services.entry_keys import rotate_key
from fleet.services.primary import status_records
from fleet.services.statuses import read_statuses
from policies.sources.base import Deadline
from tests.fakes.portal_servers import PortalBind
from tests.fleet.portal.portals import ACTOR, add, fresh, got, portal_of, publish_all
from tests.fleet.primary.console import flood

pytestmark = pytest.mark.django_db
OK = {dns.rcode.NOERROR}


def report(server: PortalBind, made: NewEntry, *, now: datetime) -> None:
    """Report as the device does with the key it has."""
    report_to(
        portal=portal_of(server), device_id=made.entry.device_id, key=read_key(made.key_text),
        status=Status(reported_at=now, version="7.0", state="enforced", serial=1),
        deadline=Deadline.after(20),
    )  # fmt: skip


def write_much(server: PortalBind, made: NewEntry) -> set[dns.rcode.Rcode]:
    device_id, key = made.entry.device_id, read_key(made.key_text)
    own = Key(tsig_name(device_id, key.generation), tsig_secret(device_id, key))
    return flood(server, own, device_id, records=300)


def counts() -> dict[str, int]:
    found = status_records(held=None)
    assert found is not None
    return dict(found.counts)


def health(made: NewEntry, *, now: datetime) -> FleetHealth:
    return health_of(fresh(made.entry), now=now)


def test_who_writes_too_much_may_report_no_more_until_there_is_another_key(
    server: PortalBind, moment: datetime
) -> None:
    loud, other = add("gw-1", now=moment), add("gw-2", now=moment)
    publish_all(now=moment)
    for one in (loud, other):
        report(server, one, now=moment)
    assert read_statuses(now=moment) == 2
    assert write_much(server, loud) == OK
    report(server, other, now=moment + timedelta(seconds=1))
    assert read_statuses(now=moment) == 1
    assert counts().keys() == {other.entry.device_id}
    assert health(loud, now=moment).state is EntryHealth.TROUBLED
    assert "far more than a status" in health(loud, now=moment).detail
    assert health(other, now=moment).state is EntryHealth.HEALTHY

    assert publish_all(now=moment).is_configured
    assert write_much(server, loud).isdisjoint(OK)
    assert got(server, loud).settings.nickname == "gw-1"

    new = rotate_key(entry=loud.entry, hours=0, actor=ACTOR, now=moment)
    publish_all(now=moment)
    report(server, NewEntry(loud.entry, new.text), now=moment)
    assert read_statuses(now=moment) == 1
    assert health(loud, now=moment).state is EntryHealth.HEALTHY


def test_what_it_writes_before_the_primary_was_told_counts_for_nothing(
    server: PortalBind, moment: datetime
) -> None:
    loud = add("gw-1", now=moment)
    publish_all(now=moment)
    write_much(server, loud)
    read_statuses(now=moment)
    report(server, loud, now=moment)
    assert read_statuses(now=moment) == 0
    assert counts() == {}
    assert health(loud, now=moment).state is EntryHealth.TROUBLED


def test_where_more_was_written_than_is_read_who_did_it_is_stopped_and_it_is_read_again(
    server: PortalBind, moment: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    loud, other = add("gw-1", now=moment), add("gw-2", now=moment)
    publish_all(now=moment)
    report(server, other, now=moment)
    write_much(server, loud)
    with monkeypatch.context() as patched:
        patched.setattr("fleet.primary.server.MAX_RECORDS", 200)
        assert read_statuses(now=moment) == 0
        assert loud.entry.device_id in PortalState.objects.get().status_error
        while PortalState.objects.get().status_error:
            read_statuses(now=moment)
    assert health(other, now=moment).state is EntryHealth.HEALTHY
    assert health(loud, now=moment).state is EntryHealth.TROUBLED


def test_what_a_removed_device_left_is_taken_out_whatever_it_is(
    server: PortalBind, moment: datetime
) -> None:
    gone = add("gw-1", now=moment)
    publish_all(now=moment)
    write_much(server, gone)
    remove_entry(entry=gone.entry, actor=ACTOR, now=moment)
    read_statuses(now=moment)
    assert counts() == {}
