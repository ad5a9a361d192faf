"""What is to be forwarded comes from the settings; how it does is a row a target."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.services import configure_device
from logs.models import Forward
from logs.services import ForwardReport, place_of, record_forwards, wanted_forwards
from logs.states import ForwardState
from policies.models import ProtectedAddress
from tests.factories import make_device, make_policy

pytestmark = pytest.mark.django_db

TARGETS = "siem.example.net:6514/tls, 192.0.2.20:514/udp"


def test_every_target_is_wanted_with_the_place_of_its_lines(now: datetime) -> None:
    make_device(policy=make_policy(now=now), now=now)
    device = make_device(
        policy=make_policy(now=now), now=now, syslog_forward=TARGETS, forward_source="header"
    )
    (wanted,) = wanted_forwards()
    assert (wanted.key, wanted.nickname) == (device.pk, device.nickname)
    assert wanted.targets == ("siem.example.net:6514/tls", "192.0.2.20:514/udp")
    assert (wanted.source, wanted.place) == ("header", place_of(device))


def test_a_target_has_one_row_while_it_is_one(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now, syslog_forward=TARGETS)
    reports = [
        ForwardReport(
            device.pk, "siem.example.net:6514/tls", ForwardState.FORWARDING,
            connected_at=now, address="198.51.100.20", sent=7,
        ),
        ForwardReport(device.pk, "192.0.2.20:514/udp", ForwardState.FAILING, error="No route."),
        ForwardReport(device.pk, "192.0.2.99:514/udp", ForwardState.FAILING),
        ForwardReport(999_999, "192.0.2.20:514/udp", ForwardState.FAILING),
    ]  # fmt: skip
    record_forwards(reports=reports, now=now)
    record_forwards(reports=reports, now=now)
    udp, tls = Forward.objects.order_by("target")
    assert (tls.sent, tls.state_word, tls.reported_at) == (7, ForwardState.FORWARDING, now)
    assert (udp.error, udp.state_word.tone) == ("No route.", "warning")
    configure_device(
        device=device, changes={"syslog_forward": "192.0.2.20:514/udp"}, actor="test", now=now
    )
    record_forwards(reports=reports, now=now)
    assert Forward.objects.get().target == "192.0.2.20:514/udp"


def test_the_names_of_devices_are_read_once_however_many_targets_there_are(now: datetime) -> None:
    devices = [
        make_device(policy=make_policy(now=now), now=now, syslog_forward=TARGETS) for _ in range(10)
    ]
    reports = [
        ForwardReport(one.pk, target, ForwardState.FORWARDING, address="198.51.100.20")
        for one in devices
        for target in ("siem.example.net:6514/tls", "192.0.2.20:514/udp")
    ]
    record_forwards(reports=reports, now=now)
    with CaptureQueriesContext(connection) as told:
        record_forwards(reports=reports, now=now)
    assert sum("devices_device" in query["sql"] for query in told.captured_queries) < 5


def test_where_a_name_leads_is_protected_while_it_is_a_target(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now, syslog_forward=TARGETS)
    state = ForwardState.FORWARDING
    report = ForwardReport(device.pk, "siem.example.net:6514/tls", state, address="198.51.100.20")
    record_forwards(reports=[report], now=now)
    row = ProtectedAddress.objects.get(origin="log forwarding")
    assert (row.network, row.reason) == (
        "198.51.100.20", f"where the syslog of {device.nickname} is forwarded",
    )  # fmt: skip
    assert ProtectedAddress.objects.filter(network="192.0.2.20").exists()
    configure_device(device=device, changes={"syslog_forward": ""}, actor="test", now=now)
    record_forwards(reports=[report], now=now)
    assert not ProtectedAddress.objects.filter(origin="log forwarding").exists()
