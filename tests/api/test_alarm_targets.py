"""Who is told of alarms, over the API: made, tried, changed, removed; the secret is shown once."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from policies.models import AlarmTarget
from policies.services import due_targets, tell_target
from tests.api.conftest import error_of, signed_in
from tests.factories import stopped
from tests.fakes.webhook import WebhookReceiver
from tests.policies.services.targets import make_hook, make_mailbox, silent

TARGETS, NOTICES = "/api/v1/alarm-targets/", "/api/v1/alarm-notices/"
pytestmark = pytest.mark.django_db


def test_a_webhook_is_made_tried_and_told_and_its_secret_is_shown_once(
    api: APIClient, now: datetime
) -> None:
    with WebhookReceiver() as receiver:
        sent = {
            "name": "itsm",
            "kind": "webhook",
            "settings": {"url": receiver.url(), "allow_internal": ["127.0.0.1"]},
            "kinds": ["stopped-pulling"],
            "least_severity": "critical",
        }
        made = api.post(TARGETS, sent)
        assert made.status_code == 201
        receiver.secrets.append(made.json()["secret"])
        address = f"{TARGETS}{made.json()['id']}/"
        assert "secret" not in api.get(address).json()
        assert receiver.secrets[0] not in api.get(TARGETS).content.decode()
        tried = api.post(f"{address}test/")
        assert (tried.status_code, tried.json()["arrived"]) == (200, True)
        renewed = api.post(f"{address}renew-secret/").json()["secret"]
        receiver.secrets = [renewed]
        silent(1, now=now)
        for pk in due_targets(now=now):
            tell_target(target_id=pk, clock=stopped(now))
        (notice,) = api.get(NOTICES).json()["results"]
        assert (notice["state"], notice["attempts"]) == ("sent", 1)
        assert [news["event"] for news in notice["news"]] == ["opened"]
        alarm = notice["news"][0]["alarm"]
        assert len(api.get(f"{NOTICES}?alarm={alarm}&state=sent").json()["results"]) == 1
        assert api.get(f"{NOTICES}?state=waiting").json()["results"] == []
    assert [hook.body["type"] for hook in receiver.hooks] == ["alarms.test", "alarms.changed"]


def test_a_test_that_does_not_arrive_says_why(api: APIClient, now: datetime) -> None:
    with WebhookReceiver() as away:
        target = make_hook(away, now=now)
    tried = api.post(f"{TARGETS}{target.pk}/test/").json()
    assert tried["arrived"] is False
    assert "Connection refused" in tried["detail"]


def test_a_target_is_changed_and_removed(api: APIClient, now: datetime) -> None:
    target = make_mailbox(now=now)
    address = f"{TARGETS}{target.pk}/"
    changed = api.patch(address, {"settings": {"to": ["soc@example.net"]}, "is_enabled": False})
    assert changed.json()["settings"] == {"to": ["soc@example.net"]}
    assert changed.json()["is_enabled"] is False
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"kind": "pigeon"}, "kind"),
        ({"settings": {"to": []}}, "settings"),
        ({"settings": {"to": ["a@b.example"], "x": 1}}, "settings"),
        ({"kinds": ["nothing"]}, "kinds.0"),
        ({"least_severity": "mild"}, "least_severity"),
        ({"name": "noc"}, "name"),
        ({"name": ""}, "name"),
    ],
)
def test_what_cannot_work_is_refused_by_name(
    api: APIClient, body: dict[str, object], named: str, now: datetime
) -> None:
    make_mailbox(now=now)
    sound = {"name": "other", "kind": "email", "settings": {"to": ["a@b.example"]}}
    answer = api.post(TARGETS, {**sound, **body})
    assert (answer.status_code, error_of(answer)["attr"]) == (400, named)
    assert AlarmTarget.objects.count() == 1


def test_only_a_webhook_has_a_secret_to_renew(api: APIClient, now: datetime) -> None:
    answer = api.post(f"{TARGETS}{make_mailbox(now=now).pk}/renew-secret/")
    assert (answer.status_code, error_of(answer)["code"]) == (400, "refused")


def test_each_deed_needs_its_right(bob: User, charlie: User, now: datetime) -> None:
    target = make_mailbox(now=now)
    address = f"{TARGETS}{target.pk}/"
    looking, nothing = signed_in(bob), None
    assert looking.get(TARGETS).status_code == 200
    assert looking.post(TARGETS, {}).status_code == 403
    for deed in ("test/", "renew-secret/"):
        assert looking.post(f"{address}{deed}").status_code == 403
    assert looking.patch(address, {}).status_code == 403
    assert looking.delete(address).status_code == 403
    nothing = signed_in(charlie)
    assert nothing.get(TARGETS).status_code == 403
    assert nothing.get(NOTICES).status_code == 403


def test_targets_are_listed_by_kind_and_by_how_they_do(api: APIClient, now: datetime) -> None:
    make_mailbox(now=now)
    AlarmTarget.objects.create(name="bad", kind="syslog", created_at=now, failing_since=now)

    def names(query: str) -> list[str]:
        return [row["name"] for row in api.get(f"{TARGETS}{query}").json()["results"]]

    assert names("") == ["bad", "noc"]
    assert names("?kind=email") == ["noc"]
    assert names("?failing=true") == ["bad"]
    assert names("?search=no") == ["noc"]
