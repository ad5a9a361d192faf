"""Devices in the console: asked for by the rules of their kind, written by services."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device
from devices.services import pack_for_devices
from policies.models import Change, Policy
from tests.console.pages import address, make_site
from tests.factories import make_device, make_policy, publish

pytestmark = pytest.mark.django_db
NEW = {
    "nickname": "fmc-9",
    "kind": "firepower",
    "device_id": "tdid_99999999",
    "management_ip": "198.51.100.20",
    "block_list": "basic.example.net",
    "allow_list": "",
    "dns_server": "192.0.2.53, ns.example.net",
    "dns_port": "5353",
    "policy_updates": "on",
    "send_logs": "on",
    "log_size": "200k",
    "log_quota": "500M",
    "forward_source": "none",
    "log_writer": "receiver",
    "ip_type": "static",
}


def add(client: Client, **changed: str) -> Any:
    return client.post(address(Device, "add"), {**NEW, **changed})


def change(client: Client, device: Device, **changed: str) -> Any:
    """Send the form of a device as it is shown, with some values changed."""
    url = address(Device, "change", device.pk)
    form = client.get(url).context["adminform"].form
    sent = {
        name: form.initial.get(name) for name, field in form.fields.items() if not field.disabled
    }
    data = {name: value for name, value in sent.items() if value not in (None, False)}
    return client.post(url, {**data, **changed})


def errors(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


def test_a_device_of_its_own_lists_is_added_with_a_policy(alice: Client) -> None:
    assert add(alice).status_code == 302
    device = Device.objects.get()
    source = device.policy.sources.get()
    assert (device.nickname, device.log_size, device.policy.is_private) == ("fmc-9", 200_000, True)
    assert source.settings == {
        "name": "basic.example.net",
        "servers": ["192.0.2.53", "ns.example.net"],
        "port": 5353,
    }
    assert device.policy.due_at is not None
    assert Change.objects.get(subject="device fmc-9").actor == "console:alice"


def test_a_device_that_follows_a_policy_gets_none_of_its_own(alice: Client, now: datetime) -> None:
    policy = make_policy(now=now)
    assert add(alice, policy=str(policy.pk)).status_code == 302
    assert Device.objects.get().policy == policy
    assert Policy.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "wrong", "reason"),
    [
        ("management_ip", "192.0.2.300", "an IPv4 or IPv6 address"),
        ("device_id", "../etc", "letters, digits"),
        ("nickname", "../etc", "letters, digits"),
        ("dns_port", "70000", "a port from 1 to 65535"),
        ("dns_server", "not_a host!", "a host name or an address"),
        ("log_size", "10", "a size such as 100k"),
        ("syslog_forward", "192.0.2.1", "host:port/udp"),
        ("upload_proxy", "https://192.0.2.1:1", "http://address:port"),
        ("client_networks", "192.0.2.1/24", "networks such as"),
        ("block_list", "", "the name of a list"),
        ("ip_type", "sometimes", "static or dynamic"),
        ("max_policy_size", "0", "a whole number above 0"),
    ],
)
def test_a_wrong_value_is_refused_beside_its_field(
    name: str, wrong: str, reason: str, alice: Client
) -> None:
    answer = add(alice, **{name: wrong})
    assert answer.status_code == 200
    assert reason in " ".join(errors(answer)[name])
    assert not Device.objects.exists()
    assert not Policy.objects.exists()
    assert not Change.objects.exists()


def test_a_taken_name_or_id_is_refused_beside_its_field(alice: Client) -> None:
    add(alice)
    assert "exists" in errors(add(alice, device_id="tdid_other"))["nickname"][0]
    assert "exists" in errors(add(alice, nickname="fmc-8"))["device_id"][0]
    assert Device.objects.count() == 1


def test_a_change_writes_what_differs_and_nothing_else(alice: Client, now: datetime) -> None:
    device = make_site(now=now).device
    assert change(alice, device, note="rack 7").status_code == 302
    device.refresh_from_db()
    assert device.note == "rack 7"
    done = Change.objects.filter(subject="device fmc-1", verb="configure").get()
    assert list(done.detail) == ["note"]


def test_a_form_sent_back_unchanged_changes_nothing(alice: Client, now: datetime) -> None:
    device = make_site(now=now).device
    before = Change.objects.count()
    assert change(alice, device).status_code == 302
    assert Change.objects.count() == before


def test_another_policy_is_assigned(alice: Client, now: datetime) -> None:
    add(alice)
    device = Device.objects.get()
    private, shared = device.policy, make_policy(now=now)
    assert change(alice, device, policy=str(shared.pk)).status_code == 302
    device.refresh_from_db()
    assert device.policy == shared
    assert not Policy.objects.filter(pk=private.pk).exists()


def test_a_device_of_a_shared_policy_goes_back_to_lists_of_its_own(
    alice: Client, now: datetime
) -> None:
    shared = make_policy(now=now)
    device = make_device(policy=shared, now=now)
    refused = change(alice, device, policy="")
    assert "the name of a list" in errors(refused)["block_list"][0]
    refused = change(alice, device, block_list="own.example.net")
    assert "follows the policy" in errors(refused)["policy"][0]
    other = str(make_policy(now=now).pk)
    refused = change(alice, device, policy=other, block_list="own.example.net")
    assert "follows the policy" in errors(refused)["policy"][0]
    assert Device.objects.get().policy == shared
    done = change(alice, device, policy="", block_list="own.example.net", note="moved")
    assert done.status_code == 302
    stored = Device.objects.get()
    assert (stored.policy.name, stored.policy.is_private) == (device.nickname, True)
    assert stored.policy.sources.get().settings["name"] == "own.example.net"
    assert stored.note == "moved"


def test_own_list_names_can_be_changed(alice: Client) -> None:
    add(alice)
    device = Device.objects.get()
    assert change(alice, device, block_list="other.example.net").status_code == 302
    assert device.policy.sources.get().settings["name"] == "other.example.net"


def test_the_stored_secret_is_never_shown_and_kept_when_left_empty(
    alice: Client, victor: Client
) -> None:
    add(alice, upload_proxy="http://192.0.2.8:3128", upload_proxy_password="hunter-2")
    device = Device.objects.get()
    url = address(Device, "change", device.pk)
    for person in (alice, victor):
        for page in (url, address(Device, "history", device.pk)):
            assert "hunter-2" not in person.get(page).content.decode()
    change(alice, device, note="still there")
    assert Device.objects.get().upload_proxy_password == "hunter-2"
    change(alice, device, upload_proxy_password="hunter-3")
    assert Device.objects.get().upload_proxy_password == "hunter-3"
    assert "hunter" not in str(list(Change.objects.values_list("detail", flat=True)))


def test_a_wrong_value_with_a_secret_does_not_show_it_again(alice: Client) -> None:
    answer = add(alice, management_ip="x", upload_proxy_password="hunter-2")
    assert "hunter-2" not in answer.content.decode()


def test_who_may_only_look_changes_nothing(victor: Client, now: datetime) -> None:
    device = make_site(now=now).device
    url = address(Device, "change", device.pk)
    assert victor.post(url, {**NEW, "note": "mine"}).status_code == 403
    assert add(victor).status_code == 403
    assert victor.post(address(Device, "delete", device.pk), {"post": "yes"}).status_code == 403
    assert victor.post(address(Device, "update", device.pk)).status_code == 403
    assert 'action="' + address(Device, "update", device.pk) not in victor.get(url).content.decode()
    assert "mine" not in Device.objects.get(pk=device.pk).note


def test_update_now_leaves_the_policy_due_and_says_what_happens(
    alice: Client, now: datetime
) -> None:
    site = make_site(now=now)
    Policy.objects.update(due_at=None)
    url = address(Device, "update", site.device.pk)
    assert alice.get(url).status_code == 405
    assert Policy.objects.get().due_at is None
    shown = alice.post(url, follow=True).content.decode()
    assert "update requested" in shown
    assert Policy.objects.get().due_at is not None


def test_update_now_does_many_devices_at_once(alice: Client, now: datetime) -> None:
    policy = make_site(now=now).policy
    make_device(policy=policy, now=now)
    Policy.objects.update(due_at=None)
    chosen = list(Device.objects.values_list("pk", flat=True))
    data = {"action": "update_now", "_selected_action": chosen}
    shown = alice.post(address(Device, "changelist"), data, follow=True).content.decode()
    assert shown.count("update requested") == 1
    assert Policy.objects.get().due_at is not None


def test_update_now_warns_where_updates_are_off(alice: Client, now: datetime) -> None:
    device = make_site(now=now).device
    Policy.objects.update(is_paused=True)
    shown = alice.post(address(Device, "update", device.pk), follow=True).content.decode()
    assert "policy updates are off" in shown


def test_removing_a_device_removes_its_policy_and_names_no_pulls(
    alice: Client, now: datetime
) -> None:
    add(alice)
    device = Device.objects.get()
    url = address(Device, "delete", device.pk)
    assert "device fmc-9" in alice.get(url).content.decode()
    assert alice.post(url, {"post": "yes"}).status_code == 302
    assert not Device.objects.exists()
    assert not Policy.objects.exists()
    assert Change.objects.filter(subject="device fmc-9", verb="remove").exists()


def test_the_page_shows_health_urls_and_pulls(alice: Client, now: datetime) -> None:
    device = make_site(now=now).device
    shown = alice.get(address(Device, "change", device.pk)).content.decode()
    for words in (
        "http://192.0.2.1:8001/" + device.device_id + "/threatstop-block.txt",
        "threatstop-allow.txt",
        "198.51.100.9",
        "200 delivered",
    ):
        assert words in shown, words


def test_history_is_what_was_changed(alice: Client, now: datetime) -> None:
    device = make_site(now=now).device
    change(alice, device, note="rack 7")
    shown = alice.get(address(Device, "history", device.pk)).content.decode()
    assert "console:alice" in shown
    assert "rack 7" in shown


def test_the_feed_page_shows_the_numbers_and_the_first_lines(alice: Client, now: datetime) -> None:
    many = [f"9.{n // 250}.{n % 250}.1" for n in range(5_000)]
    policy = make_policy(now=now, block=many)
    publish(policy, now=now)
    device = make_device(policy=policy, now=now)
    feed = policy.current.feeds.get(list="block")  # type: ignore[union-attr]
    answer = alice.get(address(Device, "feed", device.pk))
    shown = answer.content.decode()
    assert feed.md5 in shown
    assert feed.digest in shown
    lines = re.findall(
        r"^9\.[0-9.]+$", shown.replace("<pre", "\n<pre").replace(">9.", ">\n9."), re.MULTILINE
    )
    assert len(lines) == 200
    assert "The first 200 lines are shown" in shown
    assert len(answer.content) < 60_000


def test_the_feed_page_of_a_device_without_a_snapshot_says_so(alice: Client, now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    shown = alice.get(address(Device, "feed", device.pk)).content.decode()
    assert "Nothing is published yet" in shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=fmc-1", True),
        ("q=nobody", False),
        ("health=protected", False),  # the clock of the page is years ahead of the pull
        ("health=silent", True),
        ("health=nonsense", False),
        ("policy=own", False),
        ("policy_updates__exact=1", True),
    ],
)
def test_the_list_is_searched_and_filtered(
    query: str, found: bool, alice: Client, now: datetime
) -> None:
    device = make_site(now=now.replace(year=2020)).device
    shown = alice.get(f"{address(Device, 'changelist')}?{query}").content.decode()
    assert (reverse("admin:devices_device_change", args=[device.pk]) in shown) is found


def test_the_list_says_what_each_device_is_served(alice: Client, now: datetime) -> None:
    policy = make_policy(now=now, block=[f"9.9.{n}.1" for n in range(20)])
    publish(policy, now=now)
    served = make_device(policy=policy, now=now)
    small = make_device(policy=policy, now=now, max_policy_size="5")
    pinned = make_device(policy=policy, now=now)
    Device.objects.filter(pk=pinned.pk).update(policy_updates=False, pinned_snapshot=None)
    rows = alice.get(address(Device, "changelist")).context["cl"].result_list
    for device in rows:
        expected = Device.objects.get(pk=device.pk).published
        assert device.served_pk == (expected.pk if expected else None)
    assert {row.pk: row.served_entries for row in rows} == {
        served.pk: 20,
        small.pk: None,
        pinned.pk: None,
    }


def test_what_a_small_device_does_not_get_is_told_and_can_be_kept(
    alice: Client, now: datetime
) -> None:
    policy = make_policy(now=now, block=["5.6.0.0/24", "5.7.0.1", "5.7.0.3"])
    device = make_device(policy=policy, now=now, max_policy_size="1")
    publish(policy, now=now)
    url = reverse("admin:devices_device_left_out", args=[device.pk])
    assert alice.get(url).status_code == 404
    pack_for_devices(now=now)
    page = alice.get(address(Device, "change", device.pk)).content.decode()
    assert "Cut to 1 entries" in page
    assert url in page
    assert alice.get(url).getvalue() == b"5.7.0.1\n5.7.0.3\n"
