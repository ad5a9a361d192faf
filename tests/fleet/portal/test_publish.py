"""What a portal lays down reaches its devices through a real BIND, and only what is new."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from devices.models import DeviceGroup
from fleet.models import Entry, PolicyZone, PortalState, Publication
from fleet.protocol.base import Status
from fleet.protocol.client import fetch, report
from fleet.protocol.errors import UnknownKey, WebAutomationError
from fleet.protocol.keys import read_key
from fleet.services.entries import NewEntry, configure_entry, remove_entry
from fleet.services.entry_keys import revoke_key, rotate_key
from fleet.services.groups import set_group_settings
from fleet.services.primary import status_records
from fleet.services.publications import publish_policy
from fleet.services.publish import Published, publish
from fleet.services.statuses import read_statuses
from fleet.services.steering import Change
from policies.services import change_policy, delete_policy
from policies.sources.base import Deadline
from tests.factories import make_policy, publish as publish_snapshot, republish
from tests.fakes.portal_servers import PortalBind
from tests.fleet.portal.portals import (
    ACTOR,
    add,
    fresh,
    got,
    portal_of,
    publish_all,
    retrieved,
)

pytestmark = pytest.mark.django_db


def test_a_device_gets_what_was_laid_down_for_it(server: PortalBind, moment: datetime) -> None:
    policy = make_policy(now=moment, name="edge_net", block=["5.6.0.0/16", "7.7.7.7"])
    number = publish_snapshot(policy, now=moment).number
    made = add("gw-1", now=moment, policy=policy, log_size="200k", upload_proxy_password="sesame")
    assert publish_all(now=moment) == Published(settings=1, policies=2, is_configured=True)
    settings = got(server, made).settings
    assert settings.nickname == "gw-1"
    assert settings.kind == "iptables"
    assert settings.values == {"log_size": 200_000}  # what nobody set is not laid down
    assert settings.secrets == {"upload_proxy_password": "sesame"}
    place = settings.policy
    assert place is not None
    assert place.name == "edge_net"
    assert (place.block_zone, place.allow_zone) == (
        "edge-net-netb.tscm.internal", "edge-net-neta.tscm.internal",
    )  # fmt: skip
    assert (place.snapshot, place.tls, place.servers) == (number, True, ("127.0.0.1",))
    assert got(server, made).serial == fresh(made.entry).serial


def test_nothing_is_written_where_nothing_is_due(
    server: PortalBind, moment: datetime, django_assert_num_queries: object
) -> None:
    made = add("gw-1", now=moment)
    publish_all(now=moment)
    serial = fresh(made.entry).serial
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert publish(now=moment + timedelta(seconds=10)) is None
    Entry.objects.update(due_at=moment)
    assert publish_all(now=moment).settings == 0  # due, and nothing new in it
    assert (fresh(made.entry).serial, fresh(made.entry).due_at) == (serial, None)


def test_a_console_that_is_no_portal_asks_nothing(
    server: PortalBind, settings: Settings, django_assert_num_queries: object, moment: datetime
) -> None:
    settings.TSCM_PORTAL = replace(settings.TSCM_PORTAL, primary=None)
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert publish(now=moment) is None


def test_a_change_goes_out_under_a_higher_serial(server: PortalBind, moment: datetime) -> None:
    made = add("gw-1", now=moment, upload_proxy_password="sesame")
    publish_all(now=moment)
    before = got(server, made)
    change = Change({"verdict": "reject", "upload_proxy_password": None})
    configure_entry(entry=made.entry, change=change, actor=ACTOR, now=moment)
    publish_all(now=moment)
    after = retrieved(server, made, held=before.serial)
    assert after is not None
    assert after.settings.values["verdict"] == "reject"
    assert after.settings.secrets == {}
    assert after.serial > before.serial
    assert retrieved(server, made, held=after.serial) is None


def test_a_new_snapshot_reaches_the_zones_first_and_then_its_followers(
    server: PortalBind, moment: datetime
) -> None:
    policy = make_policy(now=moment, name="hourly", block=["5.6.0.0/16"])
    publish_snapshot(policy, now=moment)
    made = add("gw-1", now=moment, policy=policy)
    other = add("gw-2", now=moment)
    publish_all(now=moment)
    of_other = fresh(other.entry).serial
    later = moment + timedelta(hours=1)
    number = republish(policy, "5.6.0.0/16", "7.7.7.9", now=later).number
    assert publish_all(now=later) == Published(settings=1, policies=2)
    place = got(server, made).settings.policy
    assert place is not None
    assert place.snapshot == number
    assert set(PolicyZone.objects.values_list("snapshot_number", flat=True)) == {number}
    assert fresh(other.entry).serial == of_other


def test_a_policy_that_is_renamed_is_told_by_its_new_name(
    server: PortalBind, moment: datetime
) -> None:
    policy = make_policy(now=moment, name="before", block=["5.6.0.0/16"])
    made, other = add("gw-1", now=moment, policy=policy), add("gw-2", now=moment)
    publish_all(now=moment)
    of_other = fresh(other.entry).serial
    change_policy(policy=policy, changes={"name": "after"}, actor=ACTOR, now=moment)
    assert publish_all(now=moment).settings == 1
    place = got(server, made).settings.policy
    assert place is not None
    assert (place.name, place.block_zone) == ("after", "before-netb.tscm.internal")
    assert fresh(other.entry).serial == of_other
    assert publish(now=moment) is None


def test_a_group_lays_down_what_its_entries_do_not_say(
    server: PortalBind, moment: datetime
) -> None:
    policy = make_policy(now=moment, name="of-group", block=["5.6.0.0/16"])
    group = DeviceGroup.objects.create(name="Oslo")
    one = add("gw-1", now=moment, group=group)
    own = add("gw-2", now=moment, group=group, log_size="300k", block_list="own.example")
    set_group_settings(
        group=group, settings={"log_size": "200k"}, policy=policy, actor=ACTOR, now=moment
    )
    publish_all(now=moment)
    inherits, keeps = got(server, one).settings, got(server, own).settings
    assert (inherits.values["log_size"], keeps.values["log_size"]) == (200_000, 300_000)
    assert inherits.policy is not None
    assert inherits.policy.snapshot is None  # nothing is published of it yet
    assert keeps.policy is None
    assert keeps.values["block_list"] == "own.example"


def test_a_device_reads_its_own_zone_and_no_other(server: PortalBind, moment: datetime) -> None:
    one, two = add("gw-1", now=moment), add("gw-2", now=moment)
    publish_all(now=moment)
    got(server, one)
    with pytest.raises(WebAutomationError):
        fetch(
            portal=portal_of(server), device_id=two.entry.device_id,
            key=read_key(one.key_text), held=None, deadline=Deadline.after(20),
        )  # fmt: skip


def test_a_removed_entry_is_gone_from_the_primary(server: PortalBind, moment: datetime) -> None:
    made = add("gw-1", now=moment)
    publish_all(now=moment)
    got(server, made)
    remove_entry(entry=made.entry, actor=ACTOR, now=moment)
    assert publish_all(now=moment).is_configured
    with pytest.raises(UnknownKey):
        retrieved(server, made)


def test_old_and_new_key_are_good_for_a_while_and_the_new_one_comes_sealed(
    server: PortalBind, moment: datetime
) -> None:
    made = add("gw-1", now=moment, upload_proxy_password="sesame")
    publish_all(now=moment)
    new = rotate_key(entry=made.entry, hours=24, actor=ACTOR, now=moment)
    publish_all(now=moment)
    assert got(server, made).settings.next_key == read_key(new.text)
    by_new = NewEntry(made.entry, new.text)
    for one in (made, by_new):  # what is secret opens with either
        assert got(server, one).settings.secrets == {"upload_proxy_password": "sesame"}
    late = moment + timedelta(hours=25)
    publish_all(now=late)
    with pytest.raises(UnknownKey):
        retrieved(server, made)
    settings = got(server, by_new).settings
    assert settings.next_key is None
    assert settings.secrets == {"upload_proxy_password": "sesame"}


def test_a_revoked_key_is_good_no_more_with_the_next_publish(
    server: PortalBind, moment: datetime
) -> None:
    made = add("gw-1", now=moment)
    publish_all(now=moment)
    revoke_key(entry=made.entry, generation=1, actor=ACTOR, now=moment)
    publish_all(now=moment)
    with pytest.raises(UnknownKey):
        retrieved(server, made)


def test_a_status_comes_back_under_the_devices_own_name_alone(
    server: PortalBind, moment: datetime
) -> None:
    one, two = add("gw-1", now=moment), add("gw-2", now=moment)
    publish_all(now=moment)
    said = Status(
        reported_at=moment, version="7.0", state="enforced", serial=5, errors=("No room.",)
    )
    told = {"portal": portal_of(server), "key": read_key(one.key_text), "status": said}
    report(**told, device_id=one.entry.device_id, deadline=Deadline.after(20))  # type: ignore[arg-type]
    with pytest.raises(WebAutomationError):
        report(**told, device_id=two.entry.device_id, deadline=Deadline.after(20))  # type: ignore[arg-type]
    assert read_statuses(now=moment) == 1
    status = fresh(one.entry).status
    assert (status.version, status.state, status.serial) == ("7.0", "enforced", 5)
    assert (status.errors, status.received_at) == (["No room."], moment)
    assert not hasattr(fresh(two.entry), "status")
    assert read_statuses(now=moment + timedelta(minutes=1)) == 0


def test_what_a_removed_device_reported_is_taken_out(server: PortalBind, moment: datetime) -> None:
    made, other = add("gw-1", now=moment), add("gw-2", now=moment)
    publish_all(now=moment)
    for one in (made, other):
        said = Status(reported_at=moment, version="7.0", state="enforced", serial=5)
        report(
            portal=portal_of(server), device_id=one.entry.device_id,
            key=read_key(one.key_text), status=said, deadline=Deadline.after(20),
        )  # fmt: skip
    assert read_statuses(now=moment) == 2
    remove_entry(entry=other.entry, actor=ACTOR, now=moment)
    PortalState.objects.update(status_serial=None)
    read_statuses(now=moment)
    left = status_records(held=None)
    assert left is not None
    assert {owner.partition(".")[2] for owner, _ in left.records} == {made.entry.device_id}


def test_while_the_primary_is_away_all_stays_due_and_is_written_when_it_is_back(
    server: PortalBind, moment: datetime
) -> None:
    made = add("gw-1", now=moment)
    publish_all(now=moment)
    configure_entry(entry=made.entry, change=Change({"verdict": "reject"}), actor=ACTOR, now=moment)
    server.stop()
    try:
        failed = publish(now=moment)
        assert failed is not None
        assert failed.error
        state = PortalState.objects.get()
        assert state.failing_since == moment
        assert fresh(made.entry).due_at is not None
        assert publish(now=moment + timedelta(seconds=30)) is None  # not before a minute is over
    finally:
        server.start()
    assert publish_all(now=moment + timedelta(minutes=2)).settings == 1
    assert got(server, made).settings.values["verdict"] == "reject"
    assert PortalState.objects.get().failing_since is None


def test_a_policy_that_is_deleted_takes_its_zones_along(
    server: PortalBind, moment: datetime
) -> None:
    add("gw-1", now=moment)
    policy = make_policy(now=moment, name="shared", block=["5.6.7.0/28"])
    publish_snapshot(policy, now=moment)
    publish_policy(policy=policy, forms=["apl", "txt", "rpz", "a"], actor=ACTOR, now=moment)
    assert publish_all(now=moment).policies == 7
    assert "shared-netb.tscm.internal" in server.include.read_text()
    delete_policy(policy=policy, actor=ACTOR, now=moment)
    assert not Publication.objects.exists()
    assert publish_all(now=moment).is_configured
    assert "shared-netb" not in server.include.read_text()
