"""Targets are made, changed and removed by people; what cannot work is refused by name."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from pytest_django import Settings

from policies.models import AlarmNews, AlarmNotice, AlarmTarget, Change
from policies.services import (
    Refused,
    change_target,
    create_target,
    delete_target,
    due_targets,
    renew_secret,
    send_test,
    tell_target,
)
from policies.services.alarm_notifiers import Secrets
from policies.services.alarm_targets import BOTH_ARE_GOOD, MOST_TARGETS
from tests.factories import stopped
from tests.fakes.webhook import WebhookReceiver
from tests.fakes.webserver import Reply
from tests.policies.services.targets import make_hook, make_mailbox, silent

pytestmark = pytest.mark.django_db
URL = {"url": "https://hooks.example.net/tscm"}


@pytest.mark.parametrize(
    ("kind", "given", "setting", "words"),
    [
        ("pigeon", {}, "kind", "pigeon"),
        ("email", {}, "settings", "to must be a list"),
        ("email", {"to": ["nobody"]}, "settings", "not 'nobody'"),
        ("email", {"to": ["a@b.example\nBcc: c@d.example"]}, "settings", "to must hold addresses"),
        ("email", {"to": [f"a@{'ü' * 60}.de"]}, "settings", "to must hold addresses"),
        ("email", {"to": ["a@b.example"], "cc": []}, "settings", "'cc' is not a setting"),
        ("webhook", {"url": "file:///etc/passwd"}, "settings", "must begin with https"),
        ("syslog", {"host": ""}, "settings", "host must be a text"),
    ],
)
def test_a_target_that_cannot_work_is_refused_by_name(
    kind: str, given: dict[str, object], setting: str, words: str, now: datetime
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        create_target(name="x", kind=kind, settings=given, actor="test", now=now)
    assert refused.value.setting == setting
    assert not AlarmTarget.objects.exists()
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"kinds": ["no-such"]}, "kinds"),
        ({"kinds": "stale"}, "kinds"),
        ({"least_severity": "terrible"}, "least_severity"),
        ({"secrets": "x"}, "secrets"),
        ({"error": "x"}, "error"),
    ],
)
def test_what_a_person_may_not_set_is_refused(
    options: dict[str, object], setting: str, now: datetime
) -> None:
    with pytest.raises(Refused) as refused:
        create_target(
            name="x", kind="webhook", settings=URL, options=options, actor="test", now=now
        )
    assert refused.value.setting == setting


def test_the_secret_of_a_webhook_is_kept_encrypted_and_in_no_record(now: datetime) -> None:
    made = create_target(name="x", kind="webhook", settings=URL, actor="test", now=now)
    assert made.secret.startswith("whsec_")
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM policies_alarmtarget")
        (kept,) = cursor.fetchone()
    assert made.secret not in kept
    again = renew_secret(target=made.target, actor="test", now=now)
    assert again.secret != made.secret
    for change in Change.objects.all():
        assert made.secret not in str(change.detail)
        assert again.secret not in str(change.detail)
    verbs = list(Change.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs == ["create", "renew the secret of"]


def test_the_secret_before_is_good_for_a_day_and_no_longer(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        (old,) = receiver.secrets
        new = renew_secret(target=target, actor="test", now=now)
        target.refresh_from_db()
        assert send_test(target=target, now=now + BOTH_ARE_GOOD - timedelta(minutes=1)).arrived
        assert not send_test(target=target, now=now + BOTH_ARE_GOOD).arrived
        receiver.secrets = [new.secret]
        assert send_test(target=target, now=now + BOTH_ARE_GOOD).arrived
    assert receiver.hooks[0].good == (old,)


def test_only_webhooks_have_a_secret_and_a_kind_stays(now: datetime) -> None:
    target = make_mailbox(now=now)
    with pytest.raises(Refused, match="only webhooks"):
        renew_secret(target=target, actor="test", now=now)
    with pytest.raises(Refused, match="the kind of a target stays"):
        change_target(target=target, changes={"kind": "syslog"}, actor="test", now=now)


def test_a_change_says_what_was_before_and_tries_what_waits_at_once(now: datetime) -> None:
    with WebhookReceiver() as away:
        target = make_hook(away, now=now)
    silent(1, now=now)
    assert tell_target(target_id=target.pk, clock=stopped(now)) == 0
    assert due_targets(now=now) == []
    with WebhookReceiver() as receiver:
        receiver.secrets = [Secrets.of(AlarmTarget.objects.get()).current]
        there = {"url": receiver.url("/"), "allow_internal": ["127.0.0.1"]}
        change_target(target=target, changes={"settings": there}, actor="test", now=now)
        assert tell_target(target_id=target.pk, clock=stopped(now)) == 1
    change = Change.objects.get(verb="change")
    assert change.subject == "alarm target hook"
    assert change.detail["url"] == [away.url("/…"), receiver.url("/")]


def test_the_key_in_the_url_of_a_webhook_is_in_no_record_and_no_notice(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        there = {"allow_internal": ["127.0.0.1"]}
        target = make_hook(receiver, now=now)
        changed = {**there, "url": receiver.url("/services/zz-key-1?token=zz-key-2")}
        target = change_target(target=target, changes={"settings": changed}, actor="test", now=now)
        silent(1, now=now)
        assert tell_target(target_id=target.pk, clock=stopped(now)) == 1
        receiver.answers = [Reply(b"no /services/zz-key-1 here", status=404)]
        silent(1, 2, now=now)
        later = now + timedelta(minutes=1)
        assert tell_target(target_id=target.pk, clock=stopped(later)) == 0
    detail = Change.objects.get(verb="change").detail
    assert detail["url"] == [receiver.url("/…"), f"{receiver.url('/…')} (changed)"]
    kept = [*Change.objects.values_list("detail"), *AlarmNotice.objects.values_list("detail")]
    kept += AlarmTarget.objects.values_list("error")
    assert "zz-key" not in str(kept)
    assert "answered 404: no /… here" in AlarmTarget.objects.get().error


def test_a_lost_key_is_told_and_a_new_secret_mends_it(now: datetime, settings: Settings) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        silent(1, now=now)
        settings.TSCM_FIELD_KEYS = [Fernet.generate_key().decode()]
        assert tell_target(target_id=target.pk, clock=stopped(now)) == 0
        target = AlarmTarget.objects.get()
        assert "TSCM_FIELD_KEYS" in target.error
        receiver.secrets = [renew_secret(target=target, actor="test", now=now).secret]
        later = now + timedelta(hours=2)
        assert tell_target(target_id=target.pk, clock=stopped(later)) == 1


def test_with_a_target_goes_what_it_was_told(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        silent(1, now=now)
        tell_target(target_id=target.pk, clock=stopped(now))
    delete_target(target=target, actor="test", now=now)
    delete_target(target=target, actor="test", now=now)
    assert not AlarmNews.objects.exists()
    assert not AlarmNotice.objects.exists()
    assert Change.objects.filter(verb="delete").count() == 1


def test_there_is_an_end_to_targets(now: datetime) -> None:
    AlarmTarget.objects.bulk_create(
        AlarmTarget(name=f"t{n}", kind="email", created_at=now) for n in range(MOST_TARGETS)
    )
    with pytest.raises(Refused, match="which is the most"):
        make_mailbox(now=now)
