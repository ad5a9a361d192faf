"""alarms, alarms acknowledge, alarms targets."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from policies.models import Alarm, AlarmTarget, Change, Policy
from policies.services import review_alarms
from tests.factories import hold
from tests.fakes.webhook import WebhookReceiver
from tests.fakes.webserver import Reply
from tests.tsadmin.conftest import Tsadmin

pytestmark = pytest.mark.django_db


@pytest.fixture
def held() -> Policy:
    """A policy that its guard holds, for which an alarm is open."""
    policy = hold(now=timezone.now() - timedelta(hours=2))
    review_alarms(now=timezone.now())
    return policy


def test_lists_open_alarms_and_on_demand_those_that_are_over(
    tsadmin: Tsadmin, held: Policy
) -> None:
    shown = tsadmin("alarms", "--open").stdout
    assert f"policy {held.name}" in shown
    assert "held by the guard" in shown
    assert "critical" in shown
    Alarm.objects.update(closed_at=timezone.now())
    assert tsadmin("alarms").stdout == "No alarm is open.\n"
    assert tsadmin("alarms", "--json").json == {"alarms": []}
    (over,) = tsadmin("alarms", "--all", "--json").json["alarms"]
    assert (over["kind"], over["subject"]) == ("held", f"policy {held.name}")


def test_prints_csv_that_a_spreadsheet_takes_for_no_formula(tsadmin: Tsadmin, held: Policy) -> None:
    Alarm.objects.update(message='=HYPERLINK("x"), "quoted"\nand a line')
    rows = list(csv.DictReader(io.StringIO(tsadmin("alarms", "--csv").stdout)))
    assert [row["About"] for row in rows] == [f"policy {held.name}"]
    assert rows[0]["What to know"] == '\'=HYPERLINK("x"), "quoted" and a line'
    assert "two answers" in tsadmin("alarms", "--csv", "--json").stderr


def test_acknowledges_with_a_note(tsadmin: Tsadmin, held: Policy) -> None:
    number = str(Alarm.objects.get().pk)
    done = tsadmin("alarms", "acknowledge", number, "--note", "I look", "--json").json
    assert (done["note"], done["is_open"]) == ("I look", True)
    assert done["acknowledged_by"].startswith("tsadmin:")
    assert "I look" not in tsadmin("alarms", "acknowledge", number).stdout
    Alarm.objects.update(closed_at=timezone.now())
    assert "is over" in tsadmin("alarms", "acknowledge", number).error
    assert "there is no alarm 0" in tsadmin("alarms", "acknowledge", "0").error


def add(tsadmin: Tsadmin, receiver: WebhookReceiver) -> str:
    """Add a webhook; return its secret."""
    url, inside = f"url={receiver.url()}", 'allow_internal:=["127.0.0.1"]'
    given = ("--kind", "webhook", "--set", url, "--set", inside, "--json")
    made = tsadmin("alarms", "targets", "add", "hook", *given).json
    assert made["kind"] == "webhook"
    return str(made["secret"])


def test_a_webhook_is_added_tried_renewed_and_removed(tsadmin: Tsadmin) -> None:
    with WebhookReceiver() as receiver:
        receiver.secrets = [add(tsadmin, receiver)]
        assert "The test arrived" in tsadmin("alarms", "targets", "test", "hook").stdout
        assert tsadmin("alarms", "targets", "test", "hook", "--json").json["arrived"] is True
        shown = tsadmin("alarms", "targets", "renew-secret", "hook").stdout
        assert "whsec_" in shown
        assert receiver.secrets[0] not in shown
        receiver.answers = [Reply(status=500)]
        refused = tsadmin("alarms", "targets", "test", "hook")
        assert (refused.code, "answered 500" in refused.error) == (1, True)
    assert "whsec_" not in tsadmin("alarms", "targets", "list", "--json").stdout
    assert "reached" in tsadmin("alarms", "targets", "list").stdout
    assert "--yes" in tsadmin("alarms", "targets", "remove", "hook").error
    assert tsadmin("alarms", "targets", "remove", "hook", "--yes", "--json").json == {
        "removed": "hook"
    }
    assert "Nobody is told" in tsadmin("alarms", "targets", "list").stderr
    verbs = list(Change.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs == ["create", "renew the secret of", "delete"]


def test_a_mailbox_is_changed_flag_by_flag(tsadmin: Tsadmin) -> None:
    made = ("alarms", "targets", "add", "noc", "--kind", "email", "--set", 'to:=["a@b.example"]')
    assert "whsec_" not in tsadmin(*made).stdout
    change = ("alarms", "targets", "configure", "noc")
    tsadmin(*change, "--kinds", "stale, held", "--least-severity", "critical", "--enabled", "no")
    target = AlarmTarget.objects.get()
    assert (target.kinds, target.least_severity, target.is_enabled) == (
        ["stale", "held"],
        "critical",
        False,
    )
    assert tsadmin(*change, "--kinds", "", "--name", "soc", "--json").json["kinds"] == []
    assert "turned off" in tsadmin("alarms", "targets", "list").stdout
    assert "no target is named noc" in tsadmin(*change, "--enabled", "yes").error
    assert "nothing to change" in tsadmin("alarms", "targets", "configure", "soc").error


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--kind", "pigeon"), "pigeon"),
        (("--kind", "email"), "to must be a list"),
        (("--kind", "syslog", "--set", "host=a b"), "host must be a host name"),
        (("--kind", "syslog", "--set", "host=a.example", "--kinds", "x"), "kinds must be a list"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    tsadmin: Tsadmin, given: tuple[str, ...], words: str
) -> None:
    assert words in tsadmin("alarms", "targets", "add", "x", *given).error
