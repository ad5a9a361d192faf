"""Each opening and each end is told once, whatever goes wrong on the way, and bursts are few."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import override_settings
from hypothesis import given, settings as with_settings, strategies
from hypothesis.extra.django import TestCase

from policies.models import Alarm, AlarmNews, AlarmNotice, AlarmTarget
from policies.models.alarm_target import LONGEST_RETRY
from policies.services import (
    change_target,
    due_targets,
    prune_notices,
    send_test,
    tell_target,
)
from policies.services.notify_alarms import GIVE_UP_AFTER, KEPT, MOST_NEWS
from policies.states import AlarmKind, NoticeState
from tests.factories import stopped
from tests.fakes.smtp import MailServer
from tests.fakes.webhook import WebhookReceiver
from tests.fakes.webserver import Reply
from tests.policies.notices.messages import NOW as START
from tests.policies.services.targets import make_hook, make_mailbox, silent

MINUTE = timedelta(minutes=1)
FAILS = Reply(status=503)


def tell(*, at: datetime) -> int:
    """Do what workers do at a moment; return how many messages arrived."""
    told = [tell_target(target_id=pk, clock=stopped(at)) for pk in due_targets(now=at)]
    return sum(number or 0 for number in told)


def told_by(receiver: WebhookReceiver) -> list[tuple[str, str]]:
    return [
        (alarm["event"], alarm["subject"].removeprefix("device "))
        for hook in receiver.hooks
        for alarm in hook.body["data"]["alarms"]
    ]


@pytest.mark.django_db
def test_an_alarm_is_told_when_it_opens_and_when_it_is_over_and_no_third_time(
    now: datetime,
) -> None:
    with WebhookReceiver() as receiver:
        make_hook(receiver, now=now)
        for minute in range(3):
            silent(1, now=now + minute * MINUTE)
            tell(at=now + minute * MINUTE)
        silent(now=now + 3 * MINUTE)
        for minute in range(3, 6):
            tell(at=now + minute * MINUTE)
    assert told_by(receiver) == [("opened", "fmc-001"), ("closed", "fmc-001")]
    assert due_targets(now=now + timedelta(days=1)) == []
    first, last = AlarmNotice.objects.order_by("pk")
    assert (first.state, first.attempts, first.sent_at) == (NoticeState.SENT, 1, now)
    assert last.sent_at == now + 3 * MINUTE
    body = receiver.hooks[0].body["data"]["alarms"][0]
    alarm = Alarm.objects.get()
    assert body["url"].endswith(f"/admin/policies/alarm/{alarm.pk}/change/")
    assert body["next_step"]


@pytest.mark.django_db
def test_five_hundred_silent_firewalls_are_one_mail_that_lists_them(now: datetime) -> None:
    with MailServer() as server, _mail(server):
        make_mailbox(now=now)
        silent(*range(MOST_NEWS), now=now)
        assert tell(at=now) == 1
    (mail,) = server.mails
    assert mail.recipients == ("noc@example.net",)
    assert "500 alarms: 500 firewall stopped pulling" in str(mail.message["Subject"])
    text = mail.text()
    assert all(f"device fmc-{number:03}\n" in text for number in range(MOST_NEWS))


@pytest.mark.django_db
def test_firewalls_that_fall_silent_one_after_another_are_few_mails(now: datetime) -> None:
    with MailServer() as server, _mail(server):
        make_mailbox(now=now)
        for minute in range(30):
            silent(*range(minute + 1), now=now + minute * MINUTE)
            tell(at=now + minute * MINUTE)
        tell(at=now + 60 * MINUTE)
    assert len(server.mails) == 7
    texts = [mail.text() for mail in server.mails]
    assert all(sum(f"fmc-{n:03}\n" in text for text in texts) == 1 for n in range(30))


@pytest.mark.django_db
def test_while_a_target_is_away_nothing_is_lost_and_it_is_not_hammered(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        receiver.answers = [FAILS] * 1000
        for minute in range(0, 600, 6):
            at = now + minute * MINUTE
            silent(*range(minute % 40), now=at)
            tell(at=at)
        assert len(receiver.requests) < 20
        target.refresh_from_db()
        assert target.failing_since == now + 6 * MINUTE
        assert "answered 503" in target.error
        receiver.answers = []
        back = now + 601 * MINUTE + LONGEST_RETRY
        silent(now=back)
        for minute in range(3):
            tell(at=back + minute * MINUTE)
    told = told_by(receiver)
    assert len(receiver.hooks) <= 4 + AlarmNews.objects.count() // MOST_NEWS
    assert len(told) == AlarmNews.objects.count() == 2 * Alarm.objects.count()
    target = AlarmTarget.objects.get()
    assert (target.error, target.failures) == ("", 0)
    assert target.failing_since is None


@pytest.mark.django_db
def test_what_is_turned_off_while_it_is_told_gets_nothing_more(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        receiver.answers = [FAILS]
        silent(1, now=now)
        tell(at=now)
        silent(1, 2, now=now)
        later = now + 2 * LONGEST_RETRY

        def clock() -> datetime:
            if receiver.hooks:  # the first message is on its way: the other is not any more
                change_target(target=target, changes={"is_enabled": False}, actor="test", now=later)
            return later

        tell_target(target_id=target.pk, clock=clock)
        assert [len(hook.body["data"]["alarms"]) for hook in receiver.hooks] == [1]
    assert due_targets(now=later + timedelta(days=1)) == []


@pytest.mark.django_db
def test_a_message_whose_alarms_are_gone_is_not_sent(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        make_hook(receiver, now=now)
        receiver.answers = [FAILS]
        silent(1, now=now)
        tell(at=now)
        Alarm.objects.all().delete()
        assert tell(at=now + 2 * LONGEST_RETRY) == 0
        assert not receiver.hooks
    assert not AlarmNotice.objects.exists()


@pytest.mark.django_db
def test_a_message_keeps_its_id_however_often_it_is_tried(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        make_hook(receiver, now=now)
        receiver.answers = [FAILS, FAILS]
        silent(1, now=now)
        for minute in range(5):
            tell(at=now + minute * MINUTE)
        ids = {request.headers["webhook-id"] for request in receiver.requests}
    assert (len(receiver.requests), len(ids), len(receiver.hooks)) == (3, 1, 1)


@pytest.mark.django_db
def test_a_message_that_is_refused_lets_the_others_pass_and_is_given_up_in_the_end(
    now: datetime,
) -> None:
    with WebhookReceiver() as receiver:
        make_hook(receiver, now=now)
        receiver.answers = [Reply(status=400)]
        silent(1, now=now)
        tell(at=now)
        silent(1, 2, now=now + MINUTE / 2)
        tell(at=now + MINUTE / 2 - timedelta(seconds=1))
        assert told_by(receiver) == [("opened", "fmc-002")]
        receiver.answers = [Reply(status=400)]
        late = now + GIVE_UP_AFTER
        tell(at=late)
    given_up = AlarmNotice.objects.get(state=NoticeState.GIVEN_UP)
    assert "answered 400" in given_up.detail
    assert due_targets(now=late + timedelta(days=1)) == []


@pytest.mark.django_db
def test_two_workers_do_not_tell_the_same(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        silent(1, now=now)
        lease = timedelta(minutes=5)
        owner = AlarmTarget.objects.claim(pk=target.pk, now=now, lease=lease)
        assert owner is not None
        assert tell_target(target_id=target.pk, clock=stopped(now)) is None
        AlarmTarget.objects.release(pk=target.pk, owner=owner)
        assert tell_target(target_id=target.pk, clock=stopped(now)) == 1
        assert tell_target(target_id=target.pk, clock=stopped(now)) is None
    assert len(receiver.hooks) == 1


@pytest.mark.django_db
def test_a_target_is_told_of_what_it_wants_and_never_that_telling_fails(now: datetime) -> None:
    with WebhookReceiver() as every, WebhookReceiver() as worst, WebhookReceiver() as some:
        make_hook(every, now=now, name="every")
        make_hook(worst, now=now, name="worst", least_severity="critical")
        make_hook(some, now=now, name="some", kinds=["stale"])
        for number, kind in enumerate(
            (AlarmKind.STALE, AlarmKind.HELD, AlarmKind.TARGET_FAILING), start=1
        ):
            silent(number, now=now, kind=kind)
        tell(at=now)
    assert sorted(told_by(every)) == [("opened", "fmc-001"), ("opened", "fmc-002")]
    assert told_by(worst) == [("opened", "fmc-002")]
    assert told_by(some) == [("opened", "fmc-001")]


@pytest.mark.django_db
def test_a_target_that_was_turned_off_is_not_told_of_the_past(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        silent(1, now=now)
        change_target(target=target, changes={"is_enabled": False}, actor="test", now=now)
        silent(1, 2, now=now + MINUTE)
        change_target(target=target, changes={"is_enabled": True}, actor="test", now=now)
        silent(3, now=now + 2 * MINUTE)
        tell(at=now + 2 * MINUTE)
    # Of an end it is told only where it was told of the beginning.
    assert told_by(receiver) == [("opened", "fmc-003")]


@pytest.mark.django_db
def test_a_test_arrives_and_what_waited_goes_at_once(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        target = make_hook(receiver, now=now)
        receiver.answers = [FAILS]
        silent(1, now=now)
        tell(at=now)
        target.refresh_from_db()
        tried = send_test(target=target, now=now)
        assert (tried.arrived, "answered 204" in tried.detail) == (True, True)
        assert tell(at=now) == 1
        receiver.answers = [FAILS]
        failed = send_test(target=target, now=now)
        assert (failed.arrived, "answered 503" in failed.detail) == (False, True)
    assert [hook.body["type"] for hook in receiver.hooks] == ["alarms.test", "alarms.changed"]


@pytest.mark.django_db
def test_without_a_mail_server_a_mail_waits_and_says_what_to_set(now: datetime) -> None:
    make_mailbox(now=now)
    silent(1, now=now)
    with override_settings(EMAIL_HOST=""):
        assert tell(at=now) == 0
    assert "TSCM_SMTP_HOST" in AlarmTarget.objects.get().error
    with MailServer() as server, _mail(server):
        tell(at=now + MINUTE)
    assert len(server.mails) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        ("550 5.1.1 No such user", "550 5.1.1 No such user"),
        ("451 4.3.0 Greylisted", "It is tried again."),
    ],
)
def test_what_a_mail_server_refuses_is_told_and_kept(
    refuse: str, words: str, now: datetime
) -> None:
    with MailServer(refuse=refuse) as server, _mail(server):
        make_mailbox(now=now)
        silent(1, now=now)
        assert tell(at=now) == 0
        error = AlarmTarget.objects.get().error
        assert words in error
        assert "noc@example.net" in error
        server.refuse = ""
        assert tell(at=now + MINUTE) == 1
    assert len(server.mails) == 1


@pytest.mark.django_db
def test_a_mail_server_that_is_away_or_silent_holds_nobody_up(now: datetime) -> None:
    make_mailbox(now=now)
    silent(1, now=now)
    with MailServer(is_silent=True) as server, _mail(server, EMAIL_TIMEOUT=0.2):
        assert tell(at=now) == 0
    assert "did not take it" in AlarmTarget.objects.get().error
    with _mail(server):
        assert tell(at=now + MINUTE) == 0
    assert "cannot be reached (Connection refused)" in AlarmTarget.objects.get().error


@pytest.mark.django_db
def test_a_mail_server_that_talks_without_end_is_cut_off_at_the_deadline(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policies.services.notify_alarms.SECONDS", 0.3)
    make_mailbox(now=now)
    silent(1, now=now)
    with MailServer(is_endless=True) as server, _mail(server):
        assert tell(at=now) == 0
    target = AlarmTarget.objects.get()
    assert "it took longer than 0." in target.error
    assert target.retry_at is not None


@pytest.mark.django_db
def test_what_was_told_is_forgotten_after_a_season_and_what_waits_is_not(now: datetime) -> None:
    with WebhookReceiver() as receiver:
        make_hook(receiver, now=now)
        silent(1, now=now)
        tell(at=now)
        receiver.answers = [FAILS]
        silent(1, 2, now=now + MINUTE)
        tell(at=now + MINUTE)
    prune_notices(now=now + KEPT + timedelta(days=1))
    assert AlarmNotice.objects.get().state == NoticeState.WAITING
    assert Alarm.objects.count() == 2


def _mail(server: MailServer, **more: object) -> override_settings:
    """Let mail go to a server on loopback."""
    given: dict[str, object] = {
        "EMAIL_BACKEND": "tscm_site.mail.SmtpBackend", "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": server.port, "EMAIL_USE_TLS": False, "EMAIL_TIMEOUT": 5.0,
        "DEFAULT_FROM_EMAIL": "tscm@example.net", **more,
    }  # fmt: skip
    return override_settings(**given)


class TestTelling(TestCase):
    @with_settings(max_examples=15)
    @given(
        strategies.lists(
            strategies.tuples(strategies.sets(strategies.integers(1, 4)), strategies.booleans()),
            max_size=12,
        )
    )
    def test_whatever_happens_each_opening_and_each_end_is_told_once_in_the_end(
        self, steps: list[tuple[set[int], bool]]
    ) -> None:
        with WebhookReceiver() as receiver:
            make_hook(receiver, now=START, name=f"hook {receiver.port}")
            at = START
            for numbers, fails in [*steps, (set(), False)]:
                at += 10 * MINUTE
                receiver.answers = [FAILS] * 99 if fails else []
                silent(*numbers, now=at)
                tell(at=at)
            for hours in range(1, 4):
                tell(at=at + hours * LONGEST_RETRY)
        told = told_by(receiver)
        assert len(told) == 2 * Alarm.objects.count()
        for event in ("opened", "closed"):
            subjects = sorted(name for one, name in told if one == event)
            rows = Alarm.objects.order_by("subject").values_list("subject", flat=True)
            assert subjects == [subject.removeprefix("device ") for subject in rows]
