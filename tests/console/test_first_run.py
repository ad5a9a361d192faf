"""The first run: one form, the exact steps, and a page that ticks off what really happens."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from devices.models import Device, DeviceGroup, Gateway, GatewayState
from devices.services import PullRecord, own_node, record_pulls
from enforcement.models import Inquiry, Question
from enforcement.services import ask, inquiries
from logs.models import Spool
from policies.models import Change, Policy, Source
from tests.console.pages import make_site
from tests.enforcement.rows import CHECK, enforce
from tests.factories import make_device, make_gateway, make_policy, publish
from tests.logs.rows import make_receiver, make_sender, make_spool
from tscm_site.env import Bind

pytestmark = pytest.mark.django_db
FIREPOWER = {
    "nickname": "fmc-1",
    "device_id": "tdid_1234abcd",
    "management_ip": "192.0.2.10",
    "syslog_sources": "192.0.2.11, 192.0.2.12",
    "follows": "lists",
    "block_list": "basic.example.net",
    "allow_list": "",
}
LINUX = {
    "nickname": "gw-1",
    "device_id": "tdid_1234abcd",
    "node": "gw-1",
    "enforcer": "nftables",
    "follows": "lists",
    "block_list": "basic.example.net",
    "allow_list": "",
}


def form(kind: str) -> str:
    return reverse("console:first-device", args=[kind])


def progress(client: Client, device: Device) -> str:
    return client.get(reverse("console:set-up-now", args=[device.pk])).content.decode()


def pull(device: Device, file: str, *, now: datetime, status: int = 200) -> None:
    record = PullRecord(
        device_pk=device.pk, at=now, client="192.0.2.10", agent="fmc/7", file=file, method="GET",
        status=status, snapshot_number=1, sent=10, is_complete=True,
    )  # fmt: skip
    record_pulls(records=[record])


@pytest.mark.parametrize(("kind", "answers"), [("firepower", FIREPOWER), ("iptables", LINUX)])
def test_one_form_makes_the_device_and_leads_to_its_steps(
    kind: str, answers: dict[str, str], alice: Client
) -> None:
    assert form(kind) in alice.get(reverse("console:first-run")).content.decode()
    answer = alice.post(form(kind), answers)
    device = Device.objects.get()
    assert answer.headers["Location"] == reverse("console:set-up", args=[device.pk])
    assert (device.kind, device.nickname) == (kind, answers["nickname"])
    assert [one.settings["name"] for one in device.policy.sources.all()] == ["basic.example.net"]
    assert Change.objects.filter(actor="console:alice", verb="add").exists()


def test_the_settings_typed_are_those_of_the_device(alice: Client) -> None:
    alice.post(form("iptables"), LINUX)
    device = Device.objects.get()
    assert (device.node, device.enforcer) == ("gw-1", "nftables")


def test_every_question_but_the_address_has_an_answer_that_will_do(alice: Client) -> None:
    shown = alice.get(form("firepower"))
    answers = {name: field.initial or "" for name, field in shown.context["form"].fields.items()}
    answers |= shown.context["form"].initial | {"management_ip": "192.0.2.10"}
    assert alice.post(form("firepower"), answers).status_code == 302
    assert Device.objects.get().device_id.startswith("tdid_")


def test_two_forms_offer_two_device_ids(alice: Client) -> None:
    ids = {alice.get(form("firepower")).context["form"].initial["device_id"] for _ in range(5)}
    assert len(ids) == 5


def test_a_public_list_is_added_with_a_policy_of_its_own(alice: Client) -> None:
    for number in (1, 2):
        answers = {**FIREPOWER, "nickname": f"fmc-{number}", "device_id": f"tdid_0000000{number}"}
        alice.post(form("firepower"), {**answers, "follows": "preset:spamhaus-drop"})
    policy = Policy.objects.get()
    assert not policy.is_private
    assert [device.policy for device in Device.objects.all()] == [policy, policy]
    assert Source.objects.get().name == "Spamhaus DROP"


def test_a_policy_of_the_site_may_be_followed(alice: Client, now: datetime) -> None:
    policy = make_policy(now=now, name="edge")
    alice.post(form("firepower"), {**FIREPOWER, "follows": f"policy:{policy.pk}"})
    assert Device.objects.get().policy == policy


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"management_ip": "192.0.2.300"}, "management_ip"),
        ({"device_id": "a b"}, "device_id"),
        ({"syslog_sources": "nobody"}, "syslog_sources"),
        ({"block_list": ""}, "block_list"),
        ({"nickname": "a b"}, "nickname"),
        ({"follows": "policy:999"}, "follows"),
    ],
)
def test_what_is_refused_stands_beside_its_field_and_nothing_is_made(
    changed: dict[str, str], field: str, alice: Client
) -> None:
    answer = alice.post(form("firepower"), {**FIREPOWER, **changed})
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert not Device.objects.exists()
    assert not Policy.objects.exists()


def test_a_name_that_is_taken_is_said_above_the_form(alice: Client, now: datetime) -> None:
    make_device(policy=make_policy(now=now), now=now, nickname="fmc-1")
    shown = alice.post(form("firepower"), FIREPOWER).content.decode()
    assert "a device named fmc-1 exists; choose another name" in shown


def test_a_preset_whose_device_is_refused_leaves_no_policy(alice: Client, now: datetime) -> None:
    make_device(policy=make_policy(now=now, name="edge"), now=now, nickname="fmc-1")
    alice.post(form("firepower"), {**FIREPOWER, "follows": "preset:spamhaus-drop"})
    assert [policy.name for policy in Policy.objects.all()] == ["edge"]


def test_an_unknown_kind_is_not_there(alice: Client) -> None:
    assert alice.get(form("toaster")).status_code == 404


def test_who_may_only_look_sees_the_steps_and_adds_nothing(
    alice: Client, victor: Client, charlie: Client, now: datetime
) -> None:
    site = make_site(now=timezone.now())
    steps = reverse("console:set-up", args=[site.device.pk])
    assert victor.get(steps).status_code == 200
    assert form("firepower") not in victor.get(reverse("console:first-run")).content.decode()
    assert victor.get(form("firepower")).status_code == 403
    assert victor.post(form("firepower"), FIREPOWER).status_code == 403
    for url in (steps, reverse("console:first-run")):
        assert charlie.get(url).status_code == 403


def test_the_steps_of_a_device_of_another_group_are_not_there(now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    person = User.objects.create_user("gina", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    DeviceGroup.objects.create(name="ours").people.add(person)
    client = Client()
    client.force_login(person)
    for name in ("console:set-up", "console:set-up-now"):
        assert client.get(reverse(name, args=[device.pk])).status_code == 404


def limited(*groups: str, may: tuple[str, ...]) -> Client:
    person = User.objects.create_user("lena", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=may))
    for name in groups:
        DeviceGroup.objects.create(name=name).people.add(person)
    client = Client()
    client.force_login(person)
    return client


def test_the_first_device_of_a_limited_person_lands_in_his_group() -> None:
    lena = limited("north", may=("view_device", "add_device"))
    answer = lena.post(form("firepower"), FIREPOWER, follow=True)
    assert answer.status_code == 200
    assert Device.objects.get().group == DeviceGroup.objects.get()


def test_who_is_in_several_groups_chooses_one_and_none_of_another() -> None:
    lena = limited("north", "south", may=("view_device", "add_device"))
    other = DeviceGroup.objects.create(name="west")
    assert "west" not in lena.get(form("firepower")).content.decode()
    for chosen in ("", str(other.pk)):
        answer = lena.post(form("firepower"), {**FIREPOWER, "group": chosen})
        assert (answer.status_code, Device.objects.count()) == (200, 0)
    south = DeviceGroup.objects.get(name="south")
    lena.post(form("firepower"), {**FIREPOWER, "group": south.pk})
    assert Device.objects.get().group == south


def test_senders_of_nobody_yet_are_hinted_at_only_to_those_who_may_see_them(
    now: datetime,
) -> None:
    device = make_device(policy=make_policy(now=now), now=now)
    make_sender(now=now)
    lena = limited("north", may=("view_device", "view_sender"))
    Device.objects.update(group=DeviceGroup.objects.get())
    assert "Unknown senders" not in progress(lena, device)


def test_the_steps_in_the_management_center_carry_this_devices_own_values(alice: Client) -> None:
    now = timezone.now()
    make_receiver(now=now)
    device = make_device(policy=make_policy(now=now), now=now, device_id="tdid_1234abcd")
    shown = alice.get(reverse("console:set-up", args=[device.pk])).content.decode()
    base = "http://192.0.2.1:8001/tdid_1234abcd"
    for text in (
        f"{base}/threatstop-block.txt<", f"{base}/threatstop-block.txt.md5<",
        f"{base}/threatstop-allow.txt<", f"{base}/threatstop-allow.txt.md5<",
        "Network Lists and Feeds", "Create Syslog Alert", "Security Intelligence", ":514</code>",
        "ALERT", "Send using specific syslog alert",
    ):  # fmt: skip
        assert text in shown, text


@pytest.mark.parametrize(
    ("host", "is_said"), [("127.0.0.1", True), ("::1", True), ("192.0.2.1", False)]
)
def test_feeds_that_no_firewall_reaches_are_told_before_anybody_waits(
    host: str, is_said: bool, alice: Client, now: datetime, settings: Settings
) -> None:
    settings.TSCM_FEED_BIND = Bind(host, 8001)
    device = make_device(policy=make_policy(now=now), now=now)
    shown = alice.get(reverse("console:set-up", args=[device.pk])).content.decode()
    assert ("feeds-on-loopback" in shown) == is_said


@pytest.mark.parametrize(
    ("listener", "is_said"), [("tcp 127.0.0.1:514", True), ("tcp 192.0.2.10:514", False)]
)
def test_a_receiver_that_no_sensor_reaches_is_told(
    listener: str, is_said: bool, alice: Client
) -> None:
    now = timezone.now()
    make_receiver(now=now, node=own_node(), listeners=[listener])
    device = make_device(policy=make_policy(now=now), now=now)
    shown = alice.get(reverse("console:set-up", args=[device.pk])).content.decode()
    assert ("ways-on-loopback" in shown) == is_said


def test_the_steps_of_a_gateway_are_commands(alice: Client, now: datetime) -> None:
    device = make_gateway(now=now, nickname="gw-1", node="elsewhere")
    shown = alice.get(reverse("console:set-up", args=[device.pk])).content.decode()
    for text in ("tsadmin update gw-1", "tsadmin check gw-1", "enforce.elsewhere"):
        assert text in shown, text


def test_the_steps_of_a_firewall_are_ticked_off_as_they_happen(alice: Client) -> None:
    now = timezone.now()
    policy = make_policy(now=now, block=["8.8.4.0/24"])
    device = make_device(policy=policy, now=now)
    assert "0 of 4 steps are done" in progress(alice, device)
    publish(policy, now=now)
    assert "1 of 4 steps are done" in progress(alice, device)
    pull(device, "threatstop-block.txt", now=now)
    assert "By 192.0.2.10 (fmc/7)." in progress(alice, device)
    pull(device, "threatstop-allow.txt", now=now, status=304)
    assert "3 of 4 steps are done" in progress(alice, device)
    make_spool(device, now=now)
    assert f"All done: {device} is protected" in progress(alice, device)


def test_a_pull_that_was_refused_is_no_pull_and_says_so(alice: Client) -> None:
    now = timezone.now()
    device = make_device(policy=make_policy(now=now), now=now)
    pull(device, "threatstop-block.txt", now=now, status=403)
    assert "192.0.2.10 was answered 403." in progress(alice, device)


def test_lines_of_somebody_unknown_are_told_while_none_came(alice: Client) -> None:
    now = timezone.now()
    device = make_device(policy=make_policy(now=now), now=now)
    make_sender(now=now)
    assert "Unknown senders whose lines are refused: 1." in progress(alice, device)
    Spool.objects.create(device=device, received=1, last_line_at=now)
    assert "Unknown senders" not in progress(alice, device)


def test_the_steps_of_a_gateway_are_ticked_off_as_they_happen(alice: Client) -> None:
    now = timezone.now()
    policy = make_policy(now=now, block=["8.8.4.0/24"])
    device = make_gateway(policy=policy, now=now, nickname="gw-1")
    publish(policy, now=now)
    assert "1 of 5 steps are done" in progress(alice, device)
    kernel = enforce(device, now=now)
    assert "3 of 5 steps are done" in progress(alice, device)
    asked = ask(gateway=kernel, question=Question.CHECK, actor="test", now=now)
    inquiries.answer(asked, found=CHECK.json(), error="", now=now)
    assert "A listed address was reached." in progress(alice, device)
    Inquiry.objects.update(answer={**CHECK.json(), "ok": True})
    assert "4 of 5 steps are done" in progress(alice, device)


def test_an_enforcer_in_trouble_says_what_it_is(alice: Client) -> None:
    now = timezone.now()
    device = make_gateway(now=now, nickname="gw-1")
    Gateway.objects.update(state=GatewayState.FAILED, detail="ipset is not installed.")
    shown = progress(alice, device)
    assert "ipset is not installed." in shown
    assert "in trouble" in shown


def test_steps_that_did_not_change_are_not_sent_again(alice: Client) -> None:
    now = timezone.now()
    device = make_device(policy=make_policy(now=now), now=now)
    url = reverse("console:set-up-now", args=[device.pk])
    first = alice.get(url)
    again = alice.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_a_device_whose_set_up_was_begun_is_offered_again(alice: Client, now: datetime) -> None:
    device = make_device(policy=make_policy(now=now), now=now, nickname="fmc-begun")
    shown = alice.get(reverse("console:first-run")).content.decode()
    assert reverse("console:set-up", args=[device.pk]) in shown
    pull(device, "threatstop-block.txt", now=now)
    assert "fmc-begun" not in alice.get(reverse("console:first-run")).content.decode()


def test_the_page_of_a_device_leads_to_its_set_up_steps(alice: Client, now: datetime) -> None:
    for device in (make_device(policy=make_policy(now=now), now=now), make_gateway(now=now)):
        page = reverse("admin:devices_device_change", args=[device.pk])
        assert reverse("console:set-up", args=[device.pk]) in alice.get(page).content.decode()
