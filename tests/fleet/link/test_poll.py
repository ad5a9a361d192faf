"""What changes on the portal is in force on the device; what cannot be keeps nothing else back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.conf import settings as site

from devices.models import Device
from fleet.models import Link
from fleet.reports.link_health import LinkState, link_health
from fleet.services.link_alarms import review_link_alarms
from fleet.services.link_poll import Polled
from policies.models import Alarm, Change, Policy, Source
from policies.states import AlarmKind
from tests.factories import make_device, make_policy, publish
from tests.fleet.link.polling import linked, polled, setting
from tests.fleet.link.portal import LaidOut

pytestmark = pytest.mark.django_db


def test_a_change_on_the_portal_is_in_force_after_the_next_question(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter(log_size=250_000, send_logs=True)
    link = linked(portal, entry, now=now)
    assert polled(link, now=now) == Polled()
    portal.lay_down(entry, log_size=300_000, send_logs=False)
    assert polled(link, now=now).is_changed
    assert (setting(link, "log_size"), setting(link, "send_logs")) == (300_000, False)
    change = Change.objects.filter(verb="configure").latest("pk")
    assert change.actor == f"portal 127.0.0.1:{portal.server.tls_port}"
    assert change.detail == {"log_size": [250_000, 300_000], "send_logs": [True, False]}


def test_a_portal_is_asked_within_five_minutes_again(portal: LaidOut, now: datetime) -> None:
    link = linked(portal, portal.enter(), now=now)
    polled(link, now=now)
    assert timedelta(minutes=4) <= link.due_at - now <= timedelta(minutes=4, seconds=30)


def test_another_policy_is_followed_and_its_lists_are_new(portal: LaidOut, now: datetime) -> None:
    entry = portal.enter(policy=portal.publish(["1.2.3.4", "5.6.0.0/16"]))
    link = linked(portal, entry, now=now)
    own = Policy.objects.get()
    assert publish(own, now=now).block_prefixes == 2
    entry.settings = replace(entry.settings, policy=portal.publish(["7.7.7.7"], ["7.7.7.8"]))
    portal.write(entry)
    polled(link, now=now)
    assert publish(own, now=now).block_prefixes == 1
    assert Source.objects.count() == 2


def test_a_new_snapshot_makes_the_lists_due_at_once(portal: LaidOut, now: datetime) -> None:
    place = portal.publish(["1.2.3.4"], label="soon", snapshot=1)
    entry = portal.enter(policy=place)
    link = linked(portal, entry, now=now)
    policy = Policy.objects.get()
    publish(policy, now=now)
    later = now + timedelta(minutes=2)
    assert not Source.objects.due(now=later).exists()
    entry.settings = replace(
        entry.settings, policy=portal.publish(["4.3.2.1", "7.7.7.7"], label="soon", snapshot=2)
    )
    portal.write(entry)
    polled(link, now=later)
    assert Source.objects.due(now=later).count() == 2
    assert publish(policy, now=later).block_prefixes == 2


def test_a_list_that_loses_nearly_all_is_taken_for_the_portal_has_a_guard_of_its_own(
    portal: LaidOut, now: datetime
) -> None:
    many = [f"5.{number}.0.0/16" for number in range(0, 80, 2)]
    linked(portal, portal.enter(policy=portal.publish(many, label="shrinks")), now=now)
    policy = Policy.objects.get()
    assert publish(policy, now=now).block_prefixes == 40
    portal.publish(["1.2.3.4"], label="shrinks", snapshot=2)
    assert publish(policy, now=now + timedelta(minutes=5)).block_prefixes == 1


def test_lists_by_name_take_the_place_of_a_policy_and_the_other_way_round(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter()
    link = linked(portal, entry, now=now)
    assert list(Source.objects.values_list("kind", flat=True)) == ["dns"]
    whole = entry.settings
    entry.settings = replace(whole, values={"management_ip": "192.0.2.3"},
                             policy=portal.publish(["1.2.3.4"]))  # fmt: skip
    portal.write(entry)
    polled(link, now=now)
    assert set(Source.objects.values_list("kind", flat=True)) == {"zone"}
    entry.settings = whole
    portal.write(entry)
    polled(link, now=now)
    assert list(Source.objects.values_list("kind", flat=True)) == ["dns"]
    assert setting(link, "block_list") == whole.values["block_list"]
    assert (Policy.objects.get().shrink_limit, Policy.objects.get().growth_limit) == (50, 200)


def test_what_is_unknown_or_refused_is_told_and_the_rest_is_in_force(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter("iptables")
    link = linked(portal, entry, now=now)
    portal.lay_down(
        entry, log_size=5, log_limit="often", colour="red", verdict="reject", note="rack 4",
        node="elsewhere", device_id="tdid_another",
    )  # fmt: skip
    node = setting(link, "node")
    found = polled(link, now=now)
    assert found.is_changed
    assert not found.error
    assert setting(link, "verdict") == "reject"
    assert (setting(link, "note"), setting(link, "node")) == ("", node)
    assert setting(link, "device_id") == entry.device_id
    assert not {"note", "node", "device_id"} & set(Device.objects.get().set_by_portal)
    assert setting(link, "log_size") == 100_000
    told = "\n".join(link.refused)
    assert "node is the device's own: no portal lays it down" in told
    assert "log_size '5' is not accepted: use a size such as 100k" in told
    assert "log_limit 'often' is not accepted" in told
    assert f"colour is laid down by the portal, and version {site.TSCM_VERSION} does not" in told
    assert link_health(link).state == LinkState.REFUSED
    portal.lay_down(entry, log_size=200_000, log_limit="10/minute")
    polled(link, now=now)
    assert len(link.refused) == 4  # the colour, and what is the device's own


def test_settings_that_only_exclude_each_other_do_not_keep_the_others_back(
    portal: LaidOut, now: datetime
) -> None:
    make_device(policy=make_policy(now=now), now=now)
    entry = portal.enter()
    link = linked(portal, entry, now=now)
    portal.lay_down(entry, block_list="x.example", allow_list="x.example", log_size=300_000)
    assert "another list than the block list" in polled(link, now=now).refused[0]
    assert setting(link, "log_size") == 300_000


def test_a_portal_that_is_away_for_days_leaves_the_last_settings_in_force(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter(log_size=250_000)
    link = linked(portal, entry, now=now)
    Link.objects.update(port=9)
    waits = []
    for minutes in (1, 2, 5, 30, 61, 3 * 24 * 60):
        at = now + timedelta(minutes=minutes)
        assert polled(link, now=at).error.startswith("Failed to connect to Web Automation services")
        waits.append((link.due_at - at).total_seconds())
        review_link_alarms(now=at)
        is_told = Alarm.objects.still_open().filter(kind=AlarmKind.LINK_FAILING).exists()
        assert is_told == (minutes > 60)
    assert waits[:3] == [15, 30, 60]
    assert max(waits) <= 300
    assert setting(link, "log_size") == 250_000
    assert link_health(link).state == LinkState.FAILING
    Link.objects.update(port=portal.server.tls_port)
    back = now + timedelta(days=3, minutes=5)
    portal.lay_down(entry, log_size=300_000)
    assert polled(link, now=back).is_changed
    assert link.reached_at == back
    review_link_alarms(now=back)
    assert not Alarm.objects.still_open().exists()


def records(link: Link) -> dict[str, str]:
    return dict(link.records)


def test_after_a_change_only_what_changed_is_asked_for(portal: LaidOut, now: datetime) -> None:
    entry = portal.enter(log_size=250_000)
    link = linked(portal, entry, now=now)
    assert records(link)["log-size"] == "i:250000"
    # Were the zone sent whole, what only this device remembers would be gone.
    told = records(link) | {"remembered-here": "s:x", "_count": f"i:{len(link.records) + 1}"}
    Link.objects.update(records=list(told.items()))
    portal.lay_down(entry, log_size=300_000)
    assert polled(link, now=now).is_changed
    assert setting(link, "log_size") == 300_000
    assert records(link)["log-size"] == "i:300000"
    assert "remembered-here" in records(link)


@pytest.mark.parametrize("kept", [[], [("remembered-here", "s:x"), ("log-size", "i:1")]])
def test_the_zone_is_asked_for_whole_where_what_came_is_lost_or_damaged(
    portal: LaidOut, now: datetime, kept: list[tuple[str, str]]
) -> None:
    entry = portal.enter(log_size=250_000)
    link = linked(portal, entry, now=now)
    Link.objects.update(records=kept)
    portal.lay_down(entry, log_size=300_000)
    assert polled(link, now=now).is_changed
    assert setting(link, "log_size") == 300_000
    assert records(link)["_device-id"] == f"s:{entry.device_id}"
    assert "remembered-here" not in records(link)


def test_what_came_and_can_be_read_no_more_is_asked_for_whole_the_next_time(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter(log_size=250_000)
    link = linked(portal, entry, now=now)
    told = records(link) | {"_device-id": "s:another"}
    Link.objects.update(records=list(told.items()))
    portal.lay_down(entry, log_size=300_000)
    assert "holds the settings of 'another'" in polled(link, now=now).error
    assert setting(link, "log_size") == 250_000
    assert polled(link, now=now) == Polled(is_changed=True)
    assert setting(link, "log_size") == 300_000


def test_an_older_serial_and_settings_of_another_device_change_nothing(
    portal: LaidOut, now: datetime
) -> None:
    other = portal.enter(log_size=111_000)
    entry = portal.enter(log_size=250_000)
    link = linked(portal, entry, now=now)
    portal.write(entry, content=replace(entry.settings, device_id=other.device_id))
    assert "holds the settings of" in polled(link, now=now).error
    Link.objects.update(serial=1000)
    assert "Failed to retrieve settings using Web Automation" in polled(link, now=now).error
    assert setting(link, "log_size") == 250_000


def test_a_device_of_another_type_under_its_id_changes_nothing(
    portal: LaidOut, now: datetime
) -> None:
    entry = portal.enter(log_size=250_000)
    link = linked(portal, entry, now=now)
    entry.settings = replace(entry.settings, kind="iptables",
                             values={"log_size": 300_000, "block_list": "b.example"})  # fmt: skip
    portal.write(entry)
    for _ in range(2):
        said = polled(link, now=now).error
        assert "Unlink it, and link it again with the entry of a firepower" in said
    assert (setting(link, "log_size"), link.serial) == (250_000, 1)
