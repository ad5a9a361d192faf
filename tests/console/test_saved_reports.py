"""The pages of saved reports: each person's own, and what is shared."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from logs.models import SavedReport
from logs.services.saved import save_report
from tests.console.pages import address
from tests.console.test_why import plain

pytestmark = pytest.mark.django_db
FORM = {
    "name": "What came in", "query": "last=7d&direction=in", "every": "weekly", "at": "06:30",
    "zone": "Europe/Berlin", "weekday": "0", "day": "1",
    "recipients": "anna@example.net\r\nbert@example.net, carl@example.net",
}  # fmt: skip


def client_of(name: str, *codenames: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def rita(db: None) -> Client:
    """The browser of somebody who manages reports."""
    verbs = ("view", "add", "change", "delete")
    return client_of("rita", "view_hits", *(f"{verb}_savedreport" for verb in verbs))


def saved(owner: str, name: str, **values: object) -> SavedReport:
    return save_report(
        values={"name": name, **values},
        owner=User.objects.get(username=owner),
        actor="test",
        now=timezone.now(),
    )


def test_a_report_is_saved_by_its_form(rita: Client) -> None:
    answer = rita.post(address(SavedReport, "add"), FORM, follow=True)
    assert answer.status_code == 200
    row = SavedReport.objects.get()
    assert row.owner.username == "rita"
    assert row.recipients == ["anna@example.net", "bert@example.net", "carl@example.net"]
    assert row.next_at is not None
    assert (row.next_at.weekday(), row.at.hour) == (0, 6)
    shown = plain(rita.get(address(SavedReport, "change", row.pk)).content.decode())
    assert "It was not mailed yet." in shown


def test_what_is_wrong_stands_at_its_field(rita: Client) -> None:
    answer = rita.post(address(SavedReport, "add"), {**FORM, "zone": "Berlin"})
    assert "&#x27;Berlin&#x27; is no time zone" in answer.content.decode()
    answer = rita.post(address(SavedReport, "add"), {**FORM, "query": "ports=http"})
    assert "is no port" in answer.content.decode()
    assert not SavedReport.objects.exists()


def test_a_report_of_another_is_seen_where_it_is_shared_and_never_changed(
    rita: Client, alice: Client
) -> None:
    mine = saved("alice", "mine")
    ours = saved("alice", "ours", is_shared=True, recipients=["noc@example.net"])
    SavedReport.objects.update(error="550 no such noc@example.net")
    shown = plain(rita.get(address(SavedReport, "changelist")).content.decode())
    assert "ours alice" in shown
    assert "mine" not in shown
    assert rita.get(address(SavedReport, "change", mine.pk)).status_code == 302
    page = rita.get(address(SavedReport, "change", ours.pk))
    assert page.status_code == 200
    assert "noc@example.net" not in page.content.decode()
    for verb in ("change", "delete", "send"):
        url = address(SavedReport, verb, ours.pk)
        assert rita.post(url, {**FORM, "post": "yes"}).status_code == 403, verb
    ours.refresh_from_db()
    assert ours.name == "ours"


def test_a_report_is_sent_now_by_a_button(rita: Client) -> None:
    row = saved("rita", "daily", every="daily", recipients=["anna@example.net"])
    html = rita.get(address(SavedReport, "change", row.pk)).content.decode()
    assert "Send now" in html
    url = address(SavedReport, "send", row.pk)
    assert rita.get(url).status_code == 405
    answer = rita.post(url, follow=True)
    assert "a worker mails it within seconds" in answer.content.decode()
    assert SavedReport.objects.due(now=timezone.now()).exists()


def test_a_mail_that_failed_is_told_on_its_page(rita: Client) -> None:
    row = saved("rita", "daily", every="daily", recipients=["anna@example.net"])
    SavedReport.objects.update(error="192.0.2.9:25 answered 550 no", attempts=2)
    shown = plain(rita.get(address(SavedReport, "change", row.pk)).content.decode())
    assert "not mailed 192.0.2.9:25 answered 550 no It is tried again at" in shown
    assert "not mailed" in plain(rita.get(address(SavedReport, "changelist")).content.decode())


def test_a_report_is_removed_by_its_owner(rita: Client) -> None:
    row = saved("rita", "daily")
    rita.post(address(SavedReport, "delete", row.pk), {"post": "yes"})
    assert not SavedReport.objects.exists()
