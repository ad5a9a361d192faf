"""A gateway is a device whose kernel an enforcer keeps: its row comes, goes, and is made due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as site

from devices.health import HealthState, health_of
from devices.kinds.base import SettingRefused
from devices.models import Device, Gateway, GatewayRelease, GatewayState
from devices.services import (
    DeviceRefused,
    GatewayRefused,
    add_device,
    configure_device,
    gateway_of,
    pause_gateway,
    published_device,
    remove_device,
    request_enforcement,
    resume_gateway,
)
from policies.models import Change, Policy, ProtectedAddress
from tests.factories import make_device, make_gateway, make_policy, publish, republish

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def add(now: datetime, nickname: str = "gw", **settings: object) -> Device:
    given = {"device_id": f"tdid_{nickname}", "block_list": "b.example", **settings}
    return add_device(kind="iptables", nickname=nickname, settings=given, actor="test", now=now)


def fresh(device: Device) -> Device:
    return Device.objects.select_related("policy__current", "gateway").get(pk=device.pk)


def health(device: Device, *, now: datetime) -> HealthState:
    found = health_of(fresh(device), now=now)
    assert found.detail
    return found.state


def test_the_documented_flags_are_enough_and_this_machine_enforces(now: datetime) -> None:
    device = add(now, allow_list="a.example")
    assert (device.node, device.enforcer, device.verdict) == (site.TSCM_NODE, "iptables", "drop")
    assert device.management_ip is None
    gateway = Gateway.objects.get(device=device)
    assert (gateway.state, gateway.due_at) == (GatewayState.WAITING, now)


def test_a_machine_holds_one_policy(now: datetime) -> None:
    add(now)
    with pytest.raises(DeviceRefused, match="enforces the device gw already"):
        add(now, "other")
    assert add(now, "elsewhere", node="gw2").node == "gw2"
    with pytest.raises(DeviceRefused, match="enforces the device gw already"):
        configure_device(
            device=Device.objects.get(nickname="elsewhere"), changes={"node": ""}, actor="test",
            now=now,
        )  # fmt: skip


@pytest.mark.parametrize(
    "bad",
    [
        {"log_limit": "often"},
        {"log_limit": "0/second"},
        {"log_limit": "10001/second"},
        {"verdict": "accept"},
        {"enforcer": "pf"},
        {"canaries": "gateway.example"},
        {"canaries": "192.0.2.1:0"},
        {"canaries": ":443"},
        {"canaries": "[]:443"},
        {"canaries": "224.0.0.5"},
        {"canaries": "0.0.0.0"},  # noqa: S104  refused, not listened on
        {"canaries": "::"},
        {"syslog_forward": "[]:514/udp"},
        {"node": "../x"},
        {"management_ip": "here"},
        {"syslog_sources": "192.0.2.1"},
    ],
)
def test_a_refused_setting_adds_nothing(bad: dict[str, str], now: datetime) -> None:
    with pytest.raises(SettingRefused):
        add(now, **bad)
    assert not Device.objects.exists()
    assert not Gateway.objects.exists()


def test_its_canaries_are_never_blocked(now: datetime) -> None:
    device = add(now, canaries="192.0.2.1:443 2001:db8::1, [2001:db8::2]:22")
    assert device.canaries == ["192.0.2.1:443", "2001:db8::1", "[2001:db8::2]:22"]
    held = set(ProtectedAddress.objects.values_list("network", flat=True))
    assert held == {"192.0.2.1", "2001:db8::1", "2001:db8::2"}


def test_every_change_leaves_the_kernel_due(now: datetime) -> None:
    device = add(now)
    Gateway.objects.update(due_at=None, retry_at=now + MINUTE)
    configure_device(device=device, changes={"verdict": "reject"}, actor="test", now=now + MINUTE)
    gateway = Gateway.objects.get()
    assert (gateway.due_at, gateway.retry_at) == (now + MINUTE, None)


def test_a_removed_gateway_and_one_that_moves_let_their_kernel_go(now: datetime) -> None:
    device = add(now, node="gw1")
    configure_device(device=device, changes={"node": "gw2"}, actor="test", now=now)
    assert GatewayRelease.objects.get().node == "gw1"
    remove_device(device=device, actor="test", now=now)
    assert set(GatewayRelease.objects.values_list("node", "nickname")) == {
        ("gw1", "gw"), ("gw2", "gw"),
    }  # fmt: skip
    assert not Gateway.objects.exists()


def test_a_kernel_that_is_wanted_again_is_not_let_go(now: datetime) -> None:
    remove_device(device=add(now, node="gw1"), actor="test", now=now)
    add(now, node="gw1")
    assert not GatewayRelease.objects.exists()


def test_a_kernel_that_another_device_takes_over_is_let_go_first(now: datetime) -> None:
    remove_device(device=add(now, node="gw1"), actor="test", now=now)
    add(now, "other", node="gw1")
    assert GatewayRelease.objects.get().nickname == "gw"


def test_a_firewall_that_pulls_leaves_no_kernel_to_let_go(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    with pytest.raises(GatewayRefused, match="pulls feeds"):
        gateway_of(device)
    remove_device(device=device, actor="test", now=now)
    assert not GatewayRelease.objects.exists()


def test_a_gateway_has_no_feeds(now: datetime) -> None:
    device = make_gateway(now=now)
    publish(device.policy, now=now)
    assert published_device(device.device_id) is None


def test_a_pause_has_an_end_and_is_written_down(now: datetime) -> None:
    device = add(now)
    pause_gateway(device=device, until=now + 30 * MINUTE, actor="ann", now=now)
    gateway = Gateway.objects.get()
    assert (gateway.paused_until, gateway.paused_by) == (now + 30 * MINUTE, "ann")
    assert Change.objects.filter(verb="pause", subject="device gw", actor="ann").exists()
    assert resume_gateway(device=fresh(device), actor="ann", now=now)
    assert not resume_gateway(device=fresh(device), actor="ann", now=now)
    assert Gateway.objects.get().paused_until is None


@pytest.mark.parametrize("minutes", [0, -5, 8 * 24 * 60])
def test_a_pause_ends_later_than_now_and_within_days(minutes: int, now: datetime) -> None:
    device = add(now)
    with pytest.raises(GatewayRefused, match="within 7 days"):
        pause_gateway(device=device, until=now + minutes * MINUTE, actor="ann", now=now)
    assert Gateway.objects.get().paused_until is None


def test_to_apply_moves_a_device_on_whose_updates_are_off(now: datetime) -> None:
    device = make_gateway(now=now)
    with pytest.raises(GatewayRefused, match="nothing is published"):
        request_enforcement(device=fresh(device), actor="ann", now=now)
    publish(device.policy, now=now)
    configure_device(device=fresh(device), changes={"policy_updates": "no"}, actor="test", now=now)
    held = fresh(device).published
    republish(Policy.objects.get(pk=device.policy_id), "9.9.9.0/24", now=now + MINUTE)
    Gateway.objects.update(refused_target="x", due_at=None)
    assert fresh(device).published == held
    request_enforcement(device=fresh(device), actor="ann", now=now + MINUTE)
    moved = fresh(device)
    assert moved.published == moved.newest_fitting != held
    assert (moved.gateway.refused_target, moved.gateway.due_at) == ("", now + MINUTE)


def test_health_follows_the_kernel(now: datetime) -> None:
    device = make_gateway(now=now)
    assert health(device, now=now) == HealthState.NOT_PUBLISHED
    publish(device.policy, now=now)
    assert health(device, now=now) == HealthState.WAITING
    Gateway.objects.update(
        state=GatewayState.ENFORCED, checked_at=now, snapshot_number=1,
        sets={"TSblockaddr": [3, 100]},
    )  # fmt: skip
    assert health(device, now=now) == HealthState.PROTECTED
    assert "3 entries in the kernel" in health_of(fresh(device), now=now).detail
    assert health(device, now=now + 10 * MINUTE) == HealthState.UNSEEN
    Gateway.objects.update(paused_until=now + 5 * MINUTE)
    assert health(device, now=now) == HealthState.PAUSED
    for state, told in (
        (GatewayState.FAILED, HealthState.NOT_ENFORCED),
        (GatewayState.REFUSED, HealthState.NOT_ENFORCED),
        (GatewayState.ROLLED_BACK, HealthState.ROLLED_BACK),
    ):
        Gateway.objects.update(state=state, detail="Because.")
        assert health(device, now=now) == told


def test_a_pause_is_as_exact_as_the_kernels_rule(now: datetime) -> None:
    device = add(now)
    until = datetime(2026, 11, 21, 12, 30, 7, 999_999, tzinfo=UTC)
    pause_gateway(device=device, until=until, actor="ann", now=now)
    assert Gateway.objects.get().paused_until == until.replace(microsecond=0)
