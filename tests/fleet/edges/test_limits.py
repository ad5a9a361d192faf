"""What a person may see and change of what others steer, and what a right to add is for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from rest_framework.test import APIClient

from devices.models import DeviceGroup
from devices.services import change_people
from fleet.models import Entry, GroupSettings, Publication
from fleet.services.entries import move_entry
from fleet.services.groups import set_group_settings
from fleet.services.publications import publish_policy, unpublish_policy
from fleet.services.rollouts import Intended, add_rollout, start_rollout
from policies.services import InUse, Refused
from tests.api.conftest import error_of, signed_in
from tests.factories import make_policy
from tests.fleet.edges.rows import make_entry, make_group

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ENTRIES = "/api/v1/device-entries/"
PUBLICATIONS = "/api/v1/publications/"


@pytest.fixture
def mine() -> DeviceGroup:
    return make_group("mine", now=NOW)


@pytest.fixture
def lim(alice: User, mine: DeviceGroup) -> User:
    """May do everything, for one group."""
    alice.user_permissions.add(Permission.objects.get(codename="view_change"))
    change_people(group=mine, add=[alice], actor="test", now=NOW)
    return User.objects.get(pk=alice.pk)


def test_the_record_names_no_rollout_of_others_and_all_of_the_own_groups(
    lim: User, mine: DeviceGroup
) -> None:
    hidden, other = make_group("hidden", now=NOW), make_group("other", now=NOW)
    for name, canary, onward in (("hush", hidden, other), ("half", mine, other)):
        make_entry(now=NOW, group=canary)
        told = Intended(name, canary, (onward,), 60, settings={"verdict": "reject"})
        rollout = add_rollout(intended=told, actor="test", now=NOW)
        if name == "hush":
            start_rollout(rollout=rollout, actor="test", now=NOW)
    set_group_settings(group=mine, settings={"log_size": "1M"}, actor="test", now=NOW)
    told = signed_in(lim).get("/api/v1/changes/?page_size=100").json()["results"]
    subjects = {one["subject"] for one in told}
    assert "device group mine" in subjects
    assert not {one for one in subjects if "hidden" in one or one.startswith("rollout")}
    assert "hush" not in str(told)


def test_who_follows_a_policy_is_counted_and_not_named() -> None:
    policy, group = make_policy(now=NOW, name="edge"), make_group("hidden", now=NOW)
    set_group_settings(group=group, settings={}, policy=policy, actor="test", now=NOW)
    make_entry(now=NOW, group=group, nickname="gw-hidden")
    publication = publish_policy(policy=policy, forms=["apl"], actor="test", now=NOW)
    with pytest.raises(InUse) as refused:
        unpublish_policy(publication=publication, actor="test", now=NOW)
    assert "followed by 1 device entry and 1 group; let" in str(refused.value)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "128.0.0.0/1", "10.0.0.0/7", "::/0", "2000::/3"])
def test_a_policy_is_not_published_to_nearly_everybody(network: str) -> None:
    policy = make_policy(now=NOW, name="edge")
    with pytest.raises(Refused, match="nearly everybody"):
        publish_policy(policy=policy, forms=["apl"], networks=[network], actor="test", now=NOW)
    wide = ["10.0.0.0/8", "2001::/16"]
    row = publish_policy(policy=policy, forms=["apl"], networks=wide, actor="test", now=NOW)
    assert row.networks == wide


@pytest.mark.parametrize("by_group", [False, True])
def test_what_others_follow_too_is_not_published_otherwise_by_who_sees_not_all(
    lim: User, mine: DeviceGroup, by_group: bool
) -> None:
    policy, other = make_policy(now=NOW, name="edge"), make_group("other", now=NOW)
    make_entry(now=NOW, group=mine, policy=policy)
    row = publish_policy(policy=policy, forms=["apl"], actor="test", now=NOW)
    api, page = signed_in(lim), Client()
    page.force_login(lim)
    url, admin = f"{PUBLICATIONS}{row.pk}/", f"/admin/fleet/publication/{row.pk}/"
    assert api.patch(url, {"by_address": False}, format="json").status_code == 200
    if by_group:
        set_group_settings(group=other, settings={}, policy=policy, actor="test", now=NOW)
    else:
        make_entry(now=NOW, group=other, policy=policy)
    assert api.patch(url, {"networks": ["192.0.2.0/24"]}, format="json").status_code == 403
    assert api.delete(url).status_code == 403
    sent = {"policy": policy.pk, "forms": ["apl"], "networks": "192.0.2.0/24"}
    assert page.post(f"{admin}change/", sent).status_code == 403
    assert page.post(f"{admin}delete/", {"post": "yes"}).status_code == 403
    assert api.get(url).status_code == page.get(f"{admin}change/").status_code == 200
    assert Publication.objects.get().networks == []


def test_who_may_only_add_changes_nothing_that_is_there(alice: User) -> None:
    group, policy = make_group("north", now=NOW), make_policy(now=NOW, name="edge")
    set_group_settings(group=group, settings={"verdict": "reject"}, actor="test", now=NOW)
    publish_policy(policy=policy, forms=["apl", "rpz"], actor="test", now=NOW)
    alice.user_permissions.remove(*alice.user_permissions.filter(codename__startswith="change_"))
    api = signed_in(User.objects.get(pk=alice.pk))
    laid_down = {"group": group.pk, "settings": {"verdict": "drop"}}
    published = {"policy": policy.pk, "forms": ["apl"]}
    assert api.post("/api/v1/group-settings/", laid_down, format="json").status_code == 403
    assert api.post(PUBLICATIONS, published, format="json").status_code == 403
    assert GroupSettings.objects.get().settings == {"verdict": "reject"}
    assert Publication.objects.get().forms == ["apl", "rpz"]
    new = {"policy": make_policy(now=NOW).pk, "forms": ["apl"]}
    assert api.post(PUBLICATIONS, new, format="json").status_code == 201


def test_a_machine_registers_again_after_its_entry_was_moved_away(
    lim: User, mine: DeviceGroup
) -> None:
    api = signed_in(lim)
    body = {"nickname": "gw-b", "kind": "iptables", "registration": "0123456789abcdef"}
    first = api.post(ENTRIES, body, format="json")
    assert first.json()["group"] == mine.pk
    other = make_group("other", now=NOW)
    move_entry(entry=Entry.objects.get(), group=other, actor="test", now=NOW)
    again = api.post(ENTRIES, body, format="json")
    assert (again.status_code, again.json()["device_key"]) == (200, first.json()["device_key"])


def test_a_rollout_of_a_policy_of_one_device_is_refused(api: APIClient) -> None:
    first, others = make_group("first", now=NOW), make_group("others", now=NOW)
    private = make_policy(now=NOW, name="own", is_private=True)
    body = {"name": "q", "canary": first.pk, "onward": [others.pk], "policy": private.pk}
    answer = api.post("/api/v1/rollouts/", body, format="json")
    assert answer.status_code == 400
    assert error_of(answer)["attr"] == "policy"
