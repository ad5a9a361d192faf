"""Who is told of alarms, at the console."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from django.test import Client

from policies.models import Alarm, AlarmTarget
from policies.services import due_targets, tell_target
from tests.console.pages import address
from tests.factories import stopped
from tests.fakes.webhook import WebhookReceiver
from tests.fakes.webserver import Reply
from tests.policies.services.targets import make_hook, make_mailbox, silent

pytestmark = pytest.mark.django_db
MADE = {"name": "noc", "kind": "email", "settings": '{"to": ["noc@example.net"]}',
        "is_enabled": "on", "least_severity": "warning", "kinds": ["stale"]}  # fmt: skip


def secret_on(page: str) -> str:
    found = re.search(r'class="secret">(whsec_[^<]+)<', page)
    assert found is not None
    return found[1]


def test_a_mailbox_is_added_and_changed(alice: Client) -> None:
    add = address(AlarmTarget, "add")
    assert "noc@example.net" in alice.get(add).content.decode()  # an example
    assert alice.post(add, MADE).status_code == 302
    target = AlarmTarget.objects.get()
    assert (target.settings, target.kinds) == ({"to": ["noc@example.net"]}, ["stale"])
    page = address(AlarmTarget, "change", target.pk)
    changed = {**MADE, "name": "soc", "kinds": []}
    assert alice.post(page, changed).status_code == 302
    target.refresh_from_db()
    assert (target.name, target.kinds) == ("soc", [])


def test_what_cannot_work_stands_beside_its_field(alice: Client) -> None:
    shown = alice.post(address(AlarmTarget, "add"), {**MADE, "settings": '{"to": ["x"]}'})
    assert "to must hold addresses" in shown.content.decode()
    assert not AlarmTarget.objects.exists()


def test_the_secret_of_a_webhook_is_shown_once_and_kept_by_no_browser(alice: Client) -> None:
    with WebhookReceiver() as receiver:
        given = f'{{"url": "{receiver.url()}", "allow_internal": ["127.0.0.1"]}}'
        made = alice.post(
            address(AlarmTarget, "add"), {**MADE, "kind": "webhook", "settings": given}
        )
        assert "no-store" in made.headers["Cache-Control"]
        receiver.secrets = [secret_on(made.content.decode())]
        pk = AlarmTarget.objects.get().pk
        page = address(AlarmTarget, "change", pk)
        assert "whsec_" not in alice.get(page).content.decode()
        tried = alice.post(address(AlarmTarget, "test", pk), follow=True).content.decode()
        assert "The test arrived" in tried
        renewed = alice.post(address(AlarmTarget, "renew", pk)).content.decode()
        assert secret_on(renewed) not in receiver.secrets
        assert "For a day" in renewed
        receiver.answers = [Reply(status=500)]
        failed = alice.post(address(AlarmTarget, "test", pk), follow=True).content.decode()
        assert "The test did not arrive." in failed


def test_the_pages_say_what_was_told_and_what_did_not_arrive(alice: Client, now: datetime) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        receiver.answers = [Reply(status=503)]
        silent(1, 2, now=now)
        for pk in due_targets(now=now):
            tell_target(target_id=pk, clock=stopped(now))
    listed = alice.get(address(AlarmTarget, "changelist")).content.decode()
    assert "failing" in listed
    assert "answered 503" in listed
    shown = alice.get(address(AlarmTarget, "change", target.pk)).content.decode()
    assert "answered 503" in shown
    alarm = alice.get(address(Alarm, "change", Alarm.objects.all()[0].pk)).content.decode()
    assert address(AlarmTarget, "change", target.pk) in alarm
    assert "answered 503" in alarm


def test_who_may_only_look_sees_no_button_and_may_do_nothing(victor: Client, now: datetime) -> None:
    target = make_mailbox(now=now)
    shown = victor.get(address(AlarmTarget, "change", target.pk)).content.decode()
    assert "Send a test" not in shown
    for deed in ("test", "renew"):
        assert victor.post(address(AlarmTarget, deed, target.pk)).status_code == 403
        assert victor.get(address(AlarmTarget, deed, target.pk)).status_code == 405
    assert victor.post(address(AlarmTarget, "add"), MADE).status_code == 403


def test_a_mailbox_has_no_secret_and_a_target_is_removed(alice: Client, now: datetime) -> None:
    target = make_mailbox(now=now)
    answer = alice.post(address(AlarmTarget, "renew", target.pk), follow=True)
    assert "only webhooks" in answer.content.decode()
    assert alice.post(address(AlarmTarget, "test", 999)).status_code == 404
    alice.post(address(AlarmTarget, "delete", target.pk), {"post": "yes"})
    assert not AlarmTarget.objects.exists()
