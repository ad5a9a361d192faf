"""The overview: one sentence, one line a device, parts that are fetched again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from console.overview.board import board_for
from console.overview.devices import judged, lines_of
from console.overview.sentence import headline_of
from devices.models import Device, DeviceGroup, Gateway, GatewayState
from logs.models import Spool
from policies.models import Alarm, Policy
from tests.console.pages import make_site
from tests.enforcement.rows import enforce
from tests.factories import make_device, make_gateway, make_policy, publish
from tests.logs.rows import make_batch, make_sender, make_spool

pytestmark = pytest.mark.django_db
NOW = "console:overview-now"


def policy_of(*, now: datetime) -> Policy:
    policy = make_policy(now=now, block=["8.8.4.0/24"])
    publish(policy, now=now)
    return policy


def firewall(name: str, policy: Policy, *, now: datetime, pulled: timedelta | None) -> Device:
    """Make a firewall that pulled so long ago; None for never."""
    device = make_device(policy=policy, now=now, nickname=name)
    at = None if pulled is None else now - pulled
    Device.objects.filter(pk=device.pk).update(last_pull_at=at, last_pull_number=1)
    return device


def said(now: datetime) -> tuple[str, str]:
    found = headline_of(judged(Device.objects.all(), now=now))
    return found.tone, f"{found.sentence} {found.more}".strip()


SOON, LATE = timedelta(minutes=10), timedelta(hours=5)


@pytest.mark.parametrize(
    ("pulls", "tone", "sentence"),
    [
        ([SOON], "success", "fw-0 is protected."),
        ([SOON] * 12, "success", "All 12 devices are protected."),
        (
            [SOON, LATE],
            "danger",
            "1 of 2 devices is not protected: fw-1 (stopped pulling). The last pull was at",
        ),
        (
            [None, LATE, SOON],
            "danger",
            "2 of 3 devices are not protected: fw-1 (stopped pulling) and fw-0 (waiting for",
        ),
        (
            [LATE] * 5 + [SOON],
            "danger",
            "5 of 6 devices are not protected: fw-0 (stopped pulling), fw-1 (stopped",
        ),
        ([None], "warning", "fw-0 is not protected: waiting for its first pull."),
    ],
)
def test_one_sentence_says_whether_every_device_is_protected(
    pulls: list[timedelta | None], tone: str, sentence: str
) -> None:
    now = timezone.now()
    policy = policy_of(now=now)
    for number, pulled in enumerate(pulls):
        firewall(f"fw-{number}", policy, now=now, pulled=pulled)
    assert said(now)[0] == tone
    assert said(now)[1].startswith(sentence)


def test_no_more_than_three_devices_are_named() -> None:
    now = timezone.now()
    policy = policy_of(now=now)
    for number in range(5):
        firewall(f"fw-{number}", policy, now=now, pulled=LATE)
    assert said(now)[1].endswith("fw-2 (stopped pulling) and 2 more.")


def test_a_device_with_old_lists_is_protected_and_named_as_one_to_look_at() -> None:
    now = timezone.now()
    device = firewall("fw-1", policy_of(now=now), now=now, pulled=SOON)
    Device.objects.filter(pk=device.pk).update(log_trouble="refused", log_trouble_since=now)
    assert said(now) == ("success", "fw-1 is protected. To look at: fw-1 (logs not uploaded).")


def test_a_device_that_never_pulled_is_not_protected_whatever_else_is_said_of_it() -> None:
    now = timezone.now()
    device = firewall("fw-1", policy_of(now=now), now=now, pulled=None)
    Device.objects.filter(pk=device.pk).update(log_trouble="refused", log_trouble_since=now)
    assert "fw-1 is not protected" in said(now)[1]


def test_the_sample_protects_nobody_and_is_not_counted() -> None:
    now = timezone.now()
    device = firewall("fw-1", policy_of(now=now), now=now, pulled=SOON)
    Device.objects.filter(pk=device.pk).update(is_sample=True)
    assert said(now)[1] == "No firewall of yours is served yet. Only the sample is."


def test_a_line_tells_when_the_kernel_was_verified_the_logs_the_uploads_and_the_alarms() -> None:
    now = timezone.now()
    gateway = make_gateway(policy=policy_of(now=now - LATE), now=now, nickname="gw-1")
    enforce(gateway, now=now - timedelta(seconds=40))
    spool = make_spool(gateway, now=now, last_line_at=now - timedelta(minutes=2))
    make_batch(spool, 1, 10, at=now - timedelta(hours=3))
    make_batch(spool, 2, 10, at=now)
    for subject in ("device gw-1", f"policy {gateway.policy.name}", "device gw-2"):
        Alarm.objects.create(kind="held", subject=subject, message="It is.", opened_at=now)
    about = {alarm.subject: 1 for alarm in Alarm.objects.all()}
    [line] = lines_of(judged(Device.objects.all(), now=now), alarms=about, now=now)
    assert line.seen_at == now - timedelta(seconds=40)
    assert line.snapshot is not None
    assert line.snapshot.created_at == now - LATE
    assert (line.logs.flow.label, line.logs.last_line_at) == ("flowing", now - timedelta(minutes=2))
    assert line.logs.unsent_since == now - timedelta(hours=3)
    assert line.logs.uploads is not None
    assert (line.logs.uploads.label, line.logs.uploads_tone) == ("waiting", "warning")
    assert line.alarms == 2


@pytest.mark.parametrize(
    ("last", "word"), [(None, "none yet"), (timedelta(hours=1), "flowing"), (LATE * 5, "quiet")]
)
def test_log_lines_flow_are_quiet_or_never_came(last: timedelta | None, word: str) -> None:
    now = timezone.now()
    device = firewall("fw-1", policy_of(now=now), now=now, pulled=SOON)
    make_spool(device, now=now, last_line_at=None if last is None else now - last)
    [line] = lines_of(judged(Device.objects.all(), now=now), alarms={}, now=now)
    assert line.logs.flow.label == word


def test_what_a_device_holds_while_updates_are_off_is_the_pinned_snapshot() -> None:
    now = timezone.now()
    policy = policy_of(now=now)
    device = firewall("fw-1", policy, now=now, pulled=SOON)
    Device.objects.filter(pk=device.pk).update(policy_updates=False, pinned_snapshot=policy.current)
    Policy.objects.filter(pk=policy.pk).update(current=None)
    [line] = lines_of(judged(Device.objects.all(), now=now), alarms={}, now=now)
    assert line.snapshot == policy.current


def test_the_page_shows_it_all_in_one_table(alice: Client) -> None:
    now = timezone.now()
    site = make_site(now=now)
    shown = alice.get(reverse("admin:index")).content.decode()
    assert "All 2 devices are protected" in shown
    for text in ("fmc-1", "gw-1", "kernel verified", "feed pulled", "flowing", "#1, made"):
        assert text in shown, text
    assert reverse(NOW) in shown
    assert f"/set-up/{site.device.pk}/" not in shown


def test_a_part_that_did_not_change_is_not_sent_again(alice: Client) -> None:
    now = timezone.now()
    site = make_site(now=now)
    first = alice.get(reverse(NOW))
    again = {"If-None-Match": first.headers["ETag"]}
    assert alice.get(reverse(NOW), headers=again).status_code == 304
    Device.objects.filter(pk=site.device.pk).update(last_pull_at=now - LATE)
    changed = alice.get(reverse(NOW), headers=again)
    assert changed.status_code == 200
    assert "1 of 2 devices is not protected" in changed.content.decode()


def test_the_parts_are_those_of_the_page(alice: Client) -> None:
    make_site(now=timezone.now())
    page = alice.get(reverse("admin:index")).content.decode()
    parts = alice.get(reverse(NOW)).content.decode()
    for name in ("headline", "alarms", "devices", "policies", "history"):
        for text in (page, parts):
            assert text.count(f'id="{name}-part"') == 1
    # A token of a form is another one each time: no part would ever be the same.
    assert "csrf" not in parts


@pytest.mark.parametrize("name", [NOW, "console:overview-hits"])
def test_who_is_signed_out_is_sent_away(name: str, client: Client) -> None:
    assert client.get(reverse(name)).status_code == 302


def test_who_may_see_nothing_is_told_nothing(charlie: Client) -> None:
    make_site(now=timezone.now())
    shown = charlie.get(reverse(NOW)).content.decode()
    assert "fmc-1" not in shown
    assert "source a" not in shown
    assert charlie.get(reverse("console:overview-hits")).status_code == 403


def test_whoever_belongs_to_a_group_is_told_of_its_devices_alone() -> None:
    now = timezone.now()
    policy = policy_of(now=now)
    mine = firewall("mine-1", policy, now=now, pulled=SOON)
    other = firewall("other-1", policy, now=now, pulled=LATE)
    for device in (mine, other):
        make_batch(make_spool(device, now=now), 1, 10, at=now)
        Alarm.objects.create(
            kind="held", subject=f"device {device.nickname}", message="It is.", opened_at=now
        )
    make_sender(now=now)
    person = User.objects.create_user("gina", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    group = DeviceGroup.objects.create(name="ours")
    group.people.add(person)
    Device.objects.filter(pk=mine.pk).update(group=group)
    client = Client()
    client.force_login(person)
    for name in ("admin:index", NOW):
        shown = client.get(reverse(name)).content.decode()
        assert "mine-1 is protected" in shown
        assert "other-1" not in shown
    tallies = board_for(User.objects.get(pk=person.pk), now=now).log_tallies
    assert [(one.number, one.label) for one in tallies] == [(1, "batches wait for upload")]
    everything = board_for(User.objects.create_superuser("root"), now=now).log_tallies
    assert [one.number for one in everything] == [2, 1]  # and a sender


@pytest.mark.parametrize("devices", [3, 40])
def test_no_device_costs_a_query_of_its_own(devices: int) -> None:
    now = timezone.now()
    policy = policy_of(now=now)
    for number in range(devices):
        device = firewall(f"fw-{number:02}", policy, now=now, pulled=LATE)
        Spool.objects.create(device=device, received=1, waiting_batches=1)
    person = User.objects.create_superuser("alice")
    with CaptureQueriesContext(connection) as queries:
        board = board_for(person, now=now)
    assert board.device_total == devices
    assert len(queries) == 14


def test_a_gateway_that_failed_is_named_with_its_reason(alice: Client) -> None:
    now = timezone.now()
    gateway = make_gateway(policy=policy_of(now=now), now=now, nickname="gw-1")
    enforce(gateway, now=now)
    Gateway.objects.update(state=GatewayState.FAILED, detail="iptables is missing.")
    shown = alice.get(reverse("admin:index")).content.decode()
    assert "gw-1 is not protected: not enforced." in shown
    assert "Iptables is missing." in shown or "iptables is missing." in shown
