"""Saved reports: kept, mailed once a moment to whom they are meant for, and tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from pytest_django import Settings

from devices.models import DeviceGroup
from logs.models import SavedReport
from logs.services.saved import change_saved, remove_saved, save_report, send_saved
from logs.services.saved_mail import due_reports, mail_report
from policies.models import Change
from policies.services import Refused
from tests.factories import stopped
from tests.fakes.smtp import MailServer, Received
from tests.logs.hits_site import make_hits

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
DAILY = {
    "name": "What came in", "query": "last=24h&by=list&by=inside", "every": "daily",
    "zone": "Europe/Berlin", "recipients": ["anna@example.net", "bert@example.net"],
}  # fmt: skip
DUE = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)  # 7:00 in Berlin


@pytest.fixture
def server(settings: Settings) -> MailServer:
    """A mail server that the site sends to; it is up within its `with`."""
    settings.EMAIL_BACKEND = "tscm_site.mail.SmtpBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS, settings.EMAIL_TIMEOUT = "127.0.0.1", False, 10
    settings.DEFAULT_FROM_EMAIL = "tscm@example.net"
    settings.TSCM_CONSOLE_URL = "https://tscm.example.net"
    return MailServer()


@pytest.fixture
def anna(db: None) -> User:
    user = User.objects.create_user("anna")
    user.user_permissions.add(Permission.objects.get(codename="view_hits"))
    return user


def save(owner: User, **values: object) -> SavedReport:
    return save_report(values={**DAILY, **values}, owner=owner, actor="test", now=NOW)


def mail(row: SavedReport, *, at: datetime) -> bool | None:
    done = mail_report(saved_id=row.pk, clock=stopped(at))
    row.refresh_from_db()
    return done


def only(server: MailServer) -> Received:
    (got,) = server.mails
    return got


def test_a_report_is_kept_and_its_schedule_begins(anna: User) -> None:
    row = save(anna)
    assert row.next_at == DUE
    assert Change.objects.get().verb == "save"
    assert save(anna, name="not mailed", every="never", recipients=[]).next_at is None


@pytest.mark.parametrize(
    ("changed", "setting", "said"),
    [
        ({"name": ""}, "name", "blank"),
        ({"query": "outside=nonsense"}, "query", "'nonsense' is no address"),
        ({"query": "since=2026-11-01"}, "query", "a fixed time"),
        ({"zone": "Berlin"}, "zone", "is no time zone"),
        ({"recipients": []}, "recipients", "Somebody must receive"),
        ({"recipients": ["anna@"]}, "recipients", "'anna@' is no mail address"),
        ({"recipients": [f"a@{'ü' * 60}.de"]}, "recipients", "is no mail address"),
        ({"recipients": [f"a{n}@example.net" for n in range(21)]}, "recipients", "at most 20"),
        ({"recipients": ["a@example.net\nBcc: b@example.net"]}, "recipients", "no mail address"),
        ({"day": 32}, "day", "less than or equal to 31"),
        ({"next_at": NOW}, "next_at", "cannot be set"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(
    anna: User, changed: dict[str, object], setting: str, said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        save(anna, **changed)
    assert refused.value.setting == setting
    assert not SavedReport.objects.exists()


def test_a_name_is_taken_once(anna: User) -> None:
    save(anna)
    with pytest.raises(Refused, match="already exists"):
        save(anna)


def test_a_report_is_mailed_when_it_is_due_and_once(anna: User, server: MailServer) -> None:
    make_hits(now=DUE - timedelta(minutes=1))
    row = save(anna)
    with server:
        point_at(server)
        assert due_reports(now=DUE - timedelta(seconds=1), most=10) == []
        assert mail(row, at=DUE - timedelta(seconds=1)) is None
        assert due_reports(now=DUE, most=10) == [row.pk]
        assert mail(row, at=DUE) is True
        assert mail(row, at=DUE) is None
    got = only(server)
    assert got.recipients == ("anna@example.net", "bert@example.net")
    assert got.message["Subject"] == "What came in: 11 connections"
    assert (row.next_at, row.error, row.attempts) == (DUE + timedelta(days=1), "", 0)
    assert row.mailed_at == DUE
    text, html = got.text(), got.text("html")
    for told in (text, html):
        assert "botnets" in told
        assert "10.1.2.4" in told
        assert "https://tscm.example.net/admin/reports/?last=24h" in told
    files = {one.get_filename(): one.get_content() for one in got.message.iter_attachments()}
    assert set(files) == {"list.csv", "inside.csv"}
    assert "botnets,6,1,1," in files["list.csv"]


def point_at(server: MailServer) -> None:
    from django.conf import settings

    settings.EMAIL_PORT = server.port


def test_while_one_worker_mails_no_other_does(anna: User, server: MailServer) -> None:
    row = save(anna)
    owner = SavedReport.objects.claim(pk=row.pk, now=DUE, lease=timedelta(minutes=10))
    with server:
        point_at(server)
        assert mail(row, at=DUE) is None
        assert due_reports(now=DUE, most=10) == []
        SavedReport.objects.release(pk=row.pk, owner=str(owner))
        assert mail(row, at=DUE) is True
    only(server)


def test_what_failed_is_told_and_tried_again_later_and_later(
    anna: User, server: MailServer
) -> None:
    row = save(anna)
    server.refuse = "450 4.2.1 Try later"
    with server:
        point_at(server)
        at, waits = DUE, []
        for _ in range(3):
            assert mail(row, at=at) is False
            assert row.next_at is not None
            waits.append(row.next_at - at)
            at = row.next_at
        assert "450 4.2.1 Try later" in row.error
        assert all(timedelta(seconds=30) <= wait <= timedelta(hours=1) for wait in waits)
        server.refuse = ""
        assert mail(row, at=at) is True
    got = only(server)
    # The mail of the moment that it was due for, however late.
    assert "to 2026-11-22 06:00 UTC" in got.text()
    assert got.message["Message-ID"] == f"<report-{row.pk}-20261122T060000@example.net>"
    assert (row.error, row.next_at) == ("", DUE + timedelta(days=1))


def test_after_days_without_a_mail_server_each_day_is_mailed(
    anna: User, server: MailServer
) -> None:
    row = save(anna)
    assert mail(row, at=DUE) is False  # nobody listens
    back = DUE + timedelta(days=2, hours=12)
    with server:
        point_at(server)
        while row.pk in due_reports(now=back, most=10):
            assert mail(row, at=back) is True
    ends = [f"to 2026-11-{day} 06:00 UTC" for day in (22, 23, 24)]
    assert [end in got.text() for end, got in zip(ends, server.mails, strict=True)] == [True] * 3
    assert len({got.message["Message-ID"] for got in server.mails}) == 3
    assert row.next_at == DUE + timedelta(days=3)


def test_what_was_due_very_long_ago_is_passed_over(
    anna: User, server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    row = save(anna)
    back = DUE + timedelta(days=30, hours=1)
    with server:
        point_at(server)
        assert mail(row, at=back) is True
    assert row.next_at == DUE + timedelta(days=24)
    assert "passes over what was due before" in caplog.text


@pytest.mark.parametrize("every", ["daily", "weekly", "monthly"])
def test_after_the_clock_was_set_back_a_report_does_not_wait_for_the_time_before(
    anna: User, server: MailServer, every: str
) -> None:
    row = save(anna, every=every)
    usual = row.next_at
    ahead = NOW + timedelta(days=400)
    SavedReport.objects.update(next_at=ahead, due_for=ahead, attempts=2, error="refused")
    assert due_reports(now=NOW, most=10) == [row.pk]
    with server:
        point_at(server)
        assert mail(row, at=NOW) is True
    assert "to 2026-11-21 06:30 UTC" in only(server).text()
    assert row.next_at == usual


def test_without_a_mail_server_the_row_says_what_to_set(anna: User, settings: Settings) -> None:
    settings.EMAIL_HOST = ""
    row = save(anna)
    assert mail(row, at=DUE) is False
    assert "TSCM_SMTP_HOST" in row.error


def test_recipients_get_what_the_owner_may_see(anna: User, server: MailServer) -> None:
    site = make_hits(now=DUE - timedelta(minutes=1))
    group = DeviceGroup.objects.create(name="north")
    group.people.add(anna)
    site.oslo.group = group
    site.oslo.save(update_fields=["group"])
    row = save(anna)
    with server:
        point_at(server)
        assert mail(row, at=DUE) is True
    assert only(server).message["Subject"] == "What came in: 2 connections"


def test_who_may_see_no_reports_any_more_mails_none(anna: User, server: MailServer) -> None:
    row = save(anna)
    anna.user_permissions.clear()
    with server:
        point_at(server)
        assert mail(row, at=DUE) is False
    assert server.mails == []
    assert "anna, whose report it is, may not see reports" in row.error


def test_a_report_may_be_sent_now_and_keeps_its_schedule(anna: User, server: MailServer) -> None:
    row = save(anna, every="never")
    send_saved(row=row, actor="test", now=NOW)
    with server:
        point_at(server)
        assert mail(row, at=NOW) is True
    assert row.next_at is None
    daily = save(anna, name="daily")
    send_saved(row=daily, actor="test", now=NOW)
    with MailServer() as other:
        point_at(other)
        assert mail(daily, at=NOW) is True
    assert daily.next_at == DUE
    with pytest.raises(Refused, match="no recipients"):
        send_saved(row=save(anna, name="n", every="never", recipients=[]), actor="x", now=NOW)


def test_a_changed_schedule_begins_anew_and_a_changed_name_does_not(anna: User) -> None:
    row = save(anna)
    SavedReport.objects.filter(pk=row.pk).update(next_at=NOW, attempts=3, error="refused")
    row.refresh_from_db()
    change_saved(row=row, changes={"name": "other"}, actor="test", now=NOW)
    row.refresh_from_db()
    assert (row.name, row.next_at, row.error) == ("other", NOW, "refused")
    change_saved(row=row, changes={"every": "weekly", "weekday": 2}, actor="test", now=NOW)
    row.refresh_from_db()
    assert (row.next_at, row.error) == (datetime(2026, 11, 25, 6, 0, tzinfo=UTC), "")
    remove_saved(row=row, actor="test", now=NOW)
    assert list(Change.objects.order_by("pk").values_list("verb", flat=True)) == [
        "save", "change", "change", "remove",
    ]  # fmt: skip
