"""What a portal lays down is read-only here, and may be set otherwise and given back."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from devices.kinds.base import SettingRefused
from devices.models import Device
from devices.services import (
    DeviceRefused,
    SetByPortal,
    assign_policy,
    configure_device,
    own_lists,
    remove_device,
    settings_of,
)
from fleet.models import Link
from fleet.services.link import unlink_device
from fleet.services.link_overrides import override_setting, release_override
from policies.models import Change, Policy, Source
from tests.factories import make_device, make_policy, make_source
from tests.fleet.link.rows import make_link, make_place

pytestmark = pytest.mark.django_db


def linked(now: datetime, **values: object) -> Device:
    device = make_device(policy=make_policy(now=now), now=now, nickname="fmc-9")
    make_link(device, now=now, place=make_place(), **values)  # type: ignore[arg-type]
    return Device.objects.select_related("policy").get(pk=device.pk)


def test_a_setting_of_the_portal_is_refused_with_both_ways_on(now: datetime) -> None:
    device = linked(now)
    with pytest.raises(SetByPortal) as refused:
        configure_device(device=device, changes={"log_size": "300k"}, actor="test", now=now)
    assert str(refused.value) == (
        "log_size is set by the portal 192.0.2.53 (Web Automation): change it there, or override "
        "it here with 'tsadmin override fmc-9 log_size=VALUE'"
    )
    configure_device(device=device, changes={"log_size": "250k"}, actor="test", now=now)
    configure_device(device=device, changes={"note": "rack 4"}, actor="test", now=now)


def test_so_are_the_policy_and_its_lists(now: datetime) -> None:
    device, other = linked(now), make_policy(now=now)
    with pytest.raises(SetByPortal, match=r"policy is set .* 'tsadmin override fmc-9 policy=NAME'"):
        assign_policy(device=device, policy=other, actor="test", now=now)
    with pytest.raises(SetByPortal, match="policy is set by the portal"):
        configure_device(device=device, changes={"block_list": "x.example"}, actor="test", now=now)
    override_setting(device=device, name="policy", value=other.name, actor="test", now=now)
    device = Device.objects.select_related("policy").get()
    assert device.policy == other
    with pytest.raises(SetByPortal):
        own_lists(device=device, settings={"block_list": "x.example"}, actor="test", now=now)


def test_another_policy_may_be_followed_here_and_the_portals_again(now: datetime) -> None:
    device, other = linked(now), make_policy(now=now)
    override_setting(device=device, name="policy", value=other.name, actor="test", now=now)
    assert not Policy.objects.filter(name="fmc-9").exists()
    release_override(device=device, name="policy", actor="test", now=now)
    zones = Source.objects.filter(kind="zone").order_by("name").values_list("name", flat=True)
    assert list(zones) == ["edge-neta.tscm.internal", "edge-netb.tscm.internal"]
    assert Device.objects.get().policy.name == "fmc-9"
    with pytest.raises(DeviceRefused, match="there is no shared policy 'nowhere' here"):
        override_setting(device=device, name="policy", value="nowhere", actor="test", now=now)


def test_an_override_stays_over_what_the_portal_says_next(now: datetime) -> None:
    device = linked(now)
    override_setting(device=device, name="log_size", value="300k", actor="alice", now=now)
    make_link(device, now=now, place=make_place(), log_size=400_000, log_quota=2_000_000)
    told = settings_of(Device.objects.get())
    assert (told["log_size"], told["log_quota"]) == (300_000, 2_000_000)
    release_override(device=device, name="log_size", actor="alice", now=now)
    assert settings_of(Device.objects.get())["log_size"] == 400_000
    changes = Change.objects.filter(actor="alice").exclude(verb="configure").order_by("pk")
    assert [(one.verb, one.detail) for one in changes] == [
        ("override", {"log_size": ["as the portal says", 300_000]}),
        ("release", {"log_size": [300_000, "as the portal says"]}),
    ]


def test_a_secret_may_be_another_here_and_is_never_told(now: datetime) -> None:
    device = linked(now, secrets={"upload_proxy_password": "theirs"})
    override_setting(
        device=device, name="upload_proxy_password", value="ours", actor="test", now=now
    )
    assert Device.objects.get().upload_proxy_password == "ours"
    assert Link.objects.get().overrides == {"upload_proxy_password": "set"}
    assert not any("ours" in str(one.detail) for one in Change.objects.all())
    release_override(device=device, name="upload_proxy_password", actor="test", now=now)
    assert Device.objects.get().upload_proxy_password == "theirs"


def test_what_cannot_be_overridden_says_why_and_changes_nothing(now: datetime) -> None:
    device = linked(now)
    with pytest.raises(SettingRefused, match="log_size 'huge' is not accepted"):
        override_setting(device=device, name="log_size", value="huge", actor="test", now=now)
    with pytest.raises(DeviceRefused, match="note is not set by the portal: change it with"):
        override_setting(device=device, name="note", value="x", actor="test", now=now)
    with pytest.raises(DeviceRefused, match="log_size is not overridden on fmc-9: nothing is"):
        release_override(device=device, name="log_size", actor="test", now=now)
    assert Link.objects.get().overrides == {}
    with pytest.raises(DeviceRefused, match="with 'tsadmin override fmc-9 policy=NAME'"):
        override_setting(device=device, name="block_list", value="x", actor="test", now=now)
    alone = make_device(policy=make_policy(now=now), now=now)
    with pytest.raises(DeviceRefused, match="is linked to no portal"):
        override_setting(device=alone, name="log_size", value="1k", actor="test", now=now)


def test_unlinked_all_stays_and_is_changed_here(now: datetime) -> None:
    device = linked(now)
    unlink_device(device=device, actor="test", now=now)
    device = Device.objects.select_related("policy").get()
    assert (device.portal, device.set_by_portal) == ("", [])
    assert settings_of(device)["log_size"] == 250_000
    assert Source.objects.filter(kind="zone").count() == 2
    configure_device(
        device=device, changes={"block_list": "x.example", "log_size": "1k"}, actor="a", now=now
    )
    assert not Source.objects.filter(kind="zone").exists()


def test_a_device_that_is_removed_leaves_no_link_and_none_of_its_sources(now: datetime) -> None:
    remove_device(device=linked(now), actor="test", now=now)
    assert not Link.objects.exists()
    assert not Source.objects.filter(kind="zone").exists()


def test_the_api_shows_and_refuses_it_under_its_name(now: datetime, root: APIClient) -> None:
    device = linked(now)
    at = f"/api/v1/devices/{device.pk}/"
    assert "log_size" in root.get(at).json()["set_by_portal"]
    refused = root.patch(at, {"log_size": 5000}, format="json")
    assert refused.status_code == 400
    [error] = refused.json()["errors"]
    assert error["attr"] == "log_size"
    assert error["detail"].startswith("log_size is set by the portal")
    refused = root.patch(at, {"policy": make_policy(now=now).pk}, format="json")
    assert refused.json()["errors"][0]["attr"] == "policy"


def test_the_api_overrides_releases_asks_and_unlinks(now: datetime, root: APIClient) -> None:
    linked(now)
    link = Link.objects.get()
    at = f"/api/v1/links/{link.pk}/"
    shown = root.get(at).json()
    assert shown["health"]["state"] == "current"
    assert "key" not in shown
    done = root.post(f"{at}override/", {"setting": "log_size", "value": "300k"}, format="json")
    assert done.json()["overrides"] == {"log_size": 300_000}
    assert settings_of(Device.objects.get())["log_size"] == 300_000
    refused = root.post(f"{at}override/", {"setting": "log_size", "value": "x"}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, "log_size")
    assert root.post(f"{at}release/", {"setting": "log_size"}, format="json").status_code == 200
    assert root.post(f"{at}poll/", {}, format="json").status_code == 202
    assert root.delete(at).status_code == 204
    assert not Link.objects.exists()
    assert Device.objects.get().portal == ""


def test_the_page_shows_them_read_only_and_says_why(now: datetime, root: APIClient) -> None:
    device = linked(now)
    client = Client()
    client.force_login(User.objects.get())
    page = reverse("admin:devices_device_change", args=[device.pk])
    html = client.get(page).content.decode()
    assert "log_size is set by the portal 192.0.2.53 (Web Automation)" in html
    assert "policy is set by the portal 192.0.2.53 (Web Automation)" in html
    assert "Web Automation" in html
    sent = {"nickname": "fmc-9", "kind": "firepower", "device_id": device.device_id,
            "management_ip": device.management_ip, "policy": device.policy_id,
            "log_size": "5k", "note": "rack 4", "send_logs": "on", "policy_updates": "on",
            "dns_port": "53", "log_quota": "1000M", "log_writer": "receiver",
            "forward_source": "none", "ip_type": "static"}  # fmt: skip
    assert client.post(page, sent).status_code == 302
    told = settings_of(Device.objects.get())
    assert (told["log_size"], told["note"]) == (250_000, "rack 4")


def test_the_page_overrides_releases_and_unlinks(now: datetime, root: APIClient) -> None:
    device = linked(now)
    client = Client()
    client.force_login(User.objects.get())

    def post(deed: str, **sent: str) -> str:
        address = reverse(f"admin:devices_device_{deed}", args=[device.pk])
        assert client.get(address).status_code == 405
        return client.post(address, sent, follow=True).content.decode()

    assert "log_size is set here now" in post("override", setting="log_size", value="300k")
    assert (
        "Release log_size"
        in client.get(reverse("admin:devices_device_change", args=[device.pk])).content.decode()
    )
    assert "is not accepted" in post("override", setting="log_size", value="x")
    assert "as the portal says again" in post("release", setting="log_size")
    assert "its portal is asked within seconds" in post("poll")
    assert "linked no more" in post("unlink")
    assert not Link.objects.exists()


def test_the_list_leads_to_a_form_that_says_what_the_portal_answers(
    now: datetime, root: APIClient
) -> None:
    client = Client()
    client.force_login(User.objects.get())
    page = reverse("admin:devices_device_link")
    assert page in client.get(reverse("admin:devices_device_changelist")).content.decode()
    assert "Link a device to a portal" in client.get(page).content.decode()
    sent = {"device_id": "tdid_1", "device_key": "x", "domain": "tscm.internal",
            "portal": "127.0.0.1:9"}  # fmt: skip
    assert "this is not a device key" in client.post(page, sent).content.decode()
    sent["device_key"] = f"tscmdk1_{'A' * 43}"
    said = client.post(page, sent).content.decode()
    assert "Failed to connect to Web Automation services" in said
    assert "A" * 43 not in said
    assert not Device.objects.exists()


def test_whoever_may_not_change_devices_is_shown_no_way_to(now: datetime) -> None:
    device = linked(now)
    make_source(entries=["9.9.9.9"], now=now)
    viewer = User.objects.create_user("vera", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_device"))
    client = Client()
    client.force_login(viewer)
    html = client.get(reverse("admin:devices_device_change", args=[device.pk])).content.decode()
    assert "Web Automation" in html
    assert "Ask the portal now" not in html
    for deed in ("poll", "unlink", "override", "release"):
        address = reverse(f"admin:devices_device_{deed}", args=[device.pk])
        assert client.post(address).status_code == 403
    assert client.get(reverse("admin:devices_device_link")).status_code == 403
