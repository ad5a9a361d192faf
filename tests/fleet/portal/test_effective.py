"""What is in force for a device: the nearest that says something, and who that is."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, strategies as st

from devices.kinds import KINDS
from devices.kinds.base import SettingRefused
from devices.models import DeviceGroup
from devices.services.own_policy import LIST_SETTINGS
from fleet.models import Entry, GroupSettings
from fleet.reports.effective import LOCAL, Effective, effective_of, inherited_by, secrets_of
from fleet.services.entries import Newcomer, add_entry
from fleet.services.groups import checked_settings, set_group_settings
from policies.models import Policy
from policies.services import Refused
from tests.factories import make_policy
from tests.fleet.portal.portals import ACTOR, add, fresh

VALUES = st.dictionaries(
    st.sampled_from(["log_size", "dns_port", "block_list", "verdict", "syslog_sources"]),
    st.integers(1, 9),
)
_POLICIES = st.sampled_from([None, Policy(pk=1, name="one"), Policy(pk=2, name="two")])


def in_force(entry: Entry) -> Effective:
    """Return what is in force for an entry."""
    return effective_of(entry, inherited_by(entry))


def origin_of(effective: Effective, name: str) -> str:
    """Return who says what a setting is."""
    return next(one.origin for one in effective.settings if one.name == name)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    own=VALUES,
    inherited=VALUES,
    policy=_POLICIES,
    of_group=_POLICIES,
)
def test_the_nearest_that_says_something_is_in_force(
    kind: str,
    own: dict[str, object],
    inherited: dict[str, object],
    policy: Policy | None,
    of_group: Policy | None,
) -> None:
    group = DeviceGroup(name="Oslo")
    entry = Entry(kind=kind, settings=own, policy=policy, group=group)
    found = effective_of(entry, GroupSettings(group=group, settings=inherited, policy=of_group))
    nearest = policy or (None if "block_list" in own else of_group)
    assert found.policy == nearest
    shown = [one.name for one in found.settings]
    assert shown == [
        setting.name
        for setting in KINDS[kind].settings
        if setting.name not in LOCAL and (nearest is None or setting.name not in LIST_SETTINGS)
    ]
    for one in found.settings:
        said = {"entry": own, "group Oslo": inherited}.get(one.origin)
        if said is None:
            assert one.name not in own
            assert one.name not in inherited
        else:
            assert one.value == said[one.name]
            assert one.origin == "entry" or one.name not in own
    assert set(found.not_of_kind) == set(inherited) - {s.name for s in KINDS[kind].settings}


@pytest.mark.django_db
def test_a_group_speaks_where_the_entry_does_not(now: datetime) -> None:
    group = DeviceGroup.objects.create(name="Oslo")
    policy = make_policy(now=now, name="edge")
    entry = add("gw-1", now=now, group=group, log_size="300k").entry
    told: dict[str, object] = {"log_size": "200k", "send_logs": "no", "syslog_sources": "192.0.2.1"}
    set_group_settings(group=group, settings=told, policy=policy, actor=ACTOR, now=now)
    found = in_force(fresh(entry))
    assert (found.values["log_size"], origin_of(found, "log_size")) == (300_000, "entry")
    assert (found.values["send_logs"], origin_of(found, "send_logs")) == (False, "group Oslo")
    assert origin_of(found, "verdict") == "default"
    assert (found.policy, found.policy_origin) == (policy, "group Oslo")
    assert found.not_of_kind == ("syslog_sources",)


@pytest.mark.django_db
def test_what_a_group_lays_down_no_more_is_the_default_again(now: datetime) -> None:
    group = DeviceGroup.objects.create(name="Oslo")
    policy = make_policy(now=now, name="edge")
    entry = add("gw-1", now=now, group=group).entry
    Entry.objects.update(due_at=None)
    for settings, chosen in (({"log_size": "200k"}, policy), ({"log_size": None}, None)):
        set_group_settings(group=group, settings=settings, policy=chosen, actor=ACTOR, now=now)
    found = in_force(fresh(entry))
    assert (found.policy, origin_of(found, "log_size")) == (None, "default")
    assert found.values["block_list"] == "basic.threatstop.local"
    assert fresh(entry).due_at == now


@pytest.mark.django_db
def test_secrets_are_inherited_and_shown_as_set(now: datetime) -> None:
    group = DeviceGroup.objects.create(name="Oslo")
    entry = add("gw-1", now=now, group=group).entry
    none = add("gw-2", now=now, group=group, upload_proxy_password="").entry
    set_group_settings(
        group=group, settings={"upload_proxy_password": "sesame"}, actor=ACTOR, now=now
    )
    for one, shown, origin in ((entry, "set", "group Oslo"), (none, "", "entry")):
        found = in_force(fresh(one))
        secret = next(s for s in found.settings if s.name == "upload_proxy_password")
        assert (secret.value, secret.origin, secret.is_secret) == (shown, origin, True)
        assert "upload_proxy_password" not in found.values


@pytest.mark.django_db
def test_only_what_somebody_set_is_laid_down(now: datetime) -> None:
    group = DeviceGroup.objects.create(name="Oslo")
    bare = add("gw-1", now=now).entry
    assert in_force(fresh(bare)).laid_down == {}
    assert secrets_of(bare, None) == {}
    told: dict[str, object] = {"verdict": "reject", "upload_proxy_password": "sesame"}
    set_group_settings(group=group, settings=told, actor=ACTOR, now=now)
    entry = fresh(add("gw-2", now=now, group=group, canaries="", block_list="x.example").entry)
    words = {one.name: in_force(entry).said_by(one) for one in in_force(entry).settings}
    assert words["verdict"] == "group Oslo"
    assert words["log_size"] == words["upload_proxy_user"] == "default, not laid down"
    assert (words["block_list"], words["dns_port"]) == ("entry", "default")
    assert in_force(entry).laid_down == {
        "verdict": "reject", "canaries": (),
        "block_list": "x.example", "allow_list": "", "dns_server": (), "dns_port": 53,
    }  # fmt: skip
    assert secrets_of(entry, inherited_by(entry)) == {"upload_proxy_password": "sesame"}


@pytest.mark.django_db
def test_a_group_cannot_say_what_is_of_one_device(now: datetime) -> None:
    group = DeviceGroup.objects.create(name="Oslo")
    for name in ("management_ip", "public_ip", "domain_name"):
        with pytest.raises(SettingRefused, match="the entry of each device"):
            set_group_settings(group=group, settings={name: "x"}, actor=ACTOR, now=now)
    with pytest.raises(SettingRefused, match="one of "):
        checked_settings({"colour": "red"})
    assert checked_settings({"log_size": "1M", "verdict": None}) == {
        "log_size": 1_000_000, "verdict": None,
    }  # fmt: skip
    assert not GroupSettings.objects.exists()


@pytest.mark.django_db
def test_a_group_names_a_policy_or_lists(now: datetime) -> None:
    group = DeviceGroup.objects.create(name="Oslo")
    policy = make_policy(now=now, name="edge")
    with pytest.raises(Refused, match="exclude each other"):
        set_group_settings(
            group=group, settings={"block_list": "x.example"}, policy=policy, actor=ACTOR, now=now
        )


@pytest.mark.django_db
def test_every_kind_has_all_it_needs(now: datetime) -> None:
    newcomer = Newcomer("fmc-1", "firepower", {"management_ip": "192.0.2.1"})
    entry = add_entry(newcomer=newcomer, actor=ACTOR, now=now).entry
    found = in_force(fresh(entry))
    assert found.values["management_ip"] == "192.0.2.1"
    assert found.values["max_policy_size"] is None
    assert found.values["syslog_sources"] == ()
