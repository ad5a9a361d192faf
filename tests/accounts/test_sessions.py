"""Sessions are listed, end at once, and their keys are nowhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.backends.base import UpdateError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import people
from accounts.models import Session
from accounts.services import create_token
from accounts.session_store import BEGAN, SEEN, SessionStore, digest_of
from accounts.tasks import prune
from tests.accounts.conftest import HOME, OWN, PASSWORD, Browser, recorded

pytestmark = pytest.mark.django_db
ELSEWHERE = "203.0.113.7"


@pytest.fixture
def home(browser: Browser, alice: User) -> Browser:
    """Alice's browser at home."""
    browser.sign_in("alice")
    return browser


@pytest.fixture
def elsewhere(alice: User) -> Browser:
    """Alice's browser elsewhere."""
    there = Browser(address=ELSEWHERE, client=Client(headers={"user-agent": "Firefox/1 <b>"}))
    there.sign_in("alice")
    return there


def _session(address: str) -> Session:
    return Session.objects.get(address=address)


def test_a_person_sees_where_he_is_signed_in(home: Browser, elsewhere: Browser) -> None:
    page = home.get(OWN).content.decode()
    assert "198.51.100.9" in page
    assert ELSEWHERE in page
    assert "Firefox/1 &lt;b&gt;" in page
    assert page.count("this one") == 1


def test_a_key_that_a_browser_could_send_is_not_in_the_database(home: Browser) -> None:
    key = home.client.cookies["tscm_session"].value
    row = Session.objects.get()
    assert row.digest == digest_of(key)
    assert key not in f"{row.digest} {row.data}"
    stolen = Browser()
    stolen.client.cookies["tscm_session"] = row.digest
    assert not stolen.is_in()


def test_one_ends_another_at_once(home: Browser, elsewhere: Browser) -> None:
    assert elsewhere.is_in()
    home.post(f"/admin/own/sessions/{_session(ELSEWHERE).pk}/end/")
    assert not elsewhere.is_in()
    assert home.is_in()
    assert recorded()[-1] == "console:alice end session of alice"


def test_all_others_end_at_once(home: Browser, elsewhere: Browser) -> None:
    third = Browser()
    third.sign_in("alice")
    home.post("/admin/own/sessions/end/")
    assert [one.is_in() for one in (home, elsewhere, third)] == [True, False, False]


def test_nobody_ends_a_session_of_somebody_else(home: Browser, victor: User) -> None:
    other = Browser(address=ELSEWHERE)
    other.sign_in("victor")
    pk = _session("198.51.100.9").pk
    assert other.post(f"/admin/own/sessions/{pk}/end/").status_code == 404
    assert other.post(f"/admin/accounts/session/{pk}/delete/", post="yes").status_code == 403
    assert home.is_in()


def test_an_owner_sees_and_ends_everybodys(home: Browser, victor: User) -> None:
    other = Browser(address=ELSEWHERE)
    other.sign_in("victor")
    page = home.get("/admin/accounts/session/").content.decode()
    assert "victor" in page
    pk = _session(ELSEWHERE).pk
    assert home.get(f"/admin/accounts/session/{pk}/change/").status_code == 200
    home.post(f"/admin/accounts/session/{pk}/delete/", post="yes")
    assert not other.is_in()


def test_what_ended_does_not_come_back_with_a_request_under_way(home: Browser) -> None:
    key = home.client.cookies["tscm_session"].value
    under_way = SessionStore(key)
    under_way["something"] = 1
    Session.objects.all().delete()
    with pytest.raises(UpdateError):
        under_way.save()
    assert not Session.objects.exists()


def test_signing_out_ends_it_and_is_recorded(home: Browser) -> None:
    key = home.client.cookies["tscm_session"].value
    home.post("/admin/logout/")
    again = Browser()
    again.client.cookies["tscm_session"] = key
    assert not again.is_in()
    assert recorded()[-1] == "console:alice sign-out user alice"


def test_a_new_password_ends_all_but_the_one_that_set_it(home: Browser, elsewhere: Browser) -> None:
    form = {"old_password": PASSWORD, "new_password1": "battery staple 9"}
    answer = home.post("/admin/password_change/", **form, new_password2="battery staple 9")
    assert answer.status_code == 302
    assert home.is_in()
    assert not elsewhere.is_in()
    assert list(Session.objects.values_list("address", flat=True)) == ["198.51.100.9"]


def test_a_password_that_a_command_sets_ends_all(home: Browser, alice: User) -> None:
    alice.set_password("battery staple 9")
    alice.save()
    assert not Session.objects.exists()


def test_signing_in_gets_a_key_of_its_own(browser: Browser, alice: User) -> None:
    browser.client.cookies["tscm_session"] = "a" * 32  # as somebody else may have planted
    browser.sign_in("alice")
    assert browser.client.cookies["tscm_session"].value != "a" * 32
    assert browser.is_in()


def test_where_it_was_seen_is_noted_every_five_minutes_not_with_each_request(
    home: Browser,
) -> None:
    home.get(OWN)
    noted = Session.objects.get().seen_at
    with CaptureQueriesContext(connection) as asked:
        home.get(OWN)
    assert all(query["sql"].startswith("SELECT") for query in asked)
    assert Session.objects.get().seen_at == noted
    elsewhere = Browser(address=ELSEWHERE, client=home.client)
    elsewhere.get(OWN)
    assert Session.objects.get().address == ELSEWHERE


def test_what_is_past_its_time_is_nobodys_and_is_deleted(home: Browser) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Session.objects.update(expires_at=past)
    assert not home.is_in()
    Session.objects.update(expires_at=past)
    assert prune()["sessions"] == 1
    assert not Session.objects.exists()


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(days=400)])
def test_no_session_outlives_twelve_hours_however_often_it_is_seen(
    home: Browser, ahead: timedelta
) -> None:
    session = home.client.session
    now = timezone.now()
    session[BEGAN] = (now + ahead - timedelta(hours=11)).timestamp()
    session[SEEN] = [HOME, "", (now + ahead - timedelta(minutes=6)).timestamp()]
    session.save()
    assert home.is_in()  # and notes that it was seen
    left = Session.objects.get().expires_at - timezone.now()
    most = timedelta(hours=12 if ahead else 1)  # set back, it begins with what the clock says now
    assert most - timedelta(minutes=5) < left <= most


@pytest.mark.parametrize("deed", ["set_role", "set_active"])
def test_it_ends_when_what_its_person_may_do_changes(
    home: Browser, victor: User, deed: str
) -> None:
    other = Browser(address=ELSEWHERE)
    other.sign_in("victor")
    change: Any = {"role": "auditor"} if deed == "set_role" else {"is_active": False}
    getattr(people, deed)(user=victor, **change, actor="test", now=timezone.now())
    assert list(Session.objects.values_list("user__username", flat=True)) == ["alice"]


def test_a_session_goes_with_its_user(home: Browser, alice: User) -> None:
    alice.delete()
    assert not Session.objects.exists()
    assert not home.is_in()


class TestApi:
    URL = "/api/v1/sessions/"

    def _get(self, user: User) -> Any:
        made = create_token(user=user, name="t", actor="test", now=timezone.now())
        user.api_tokens.exclude(pk=made.token.pk).delete()
        return Client(headers={"authorization": f"Bearer {made.text}"})

    def test_tells_ones_own(self, home: Browser, victor: User) -> None:
        Browser(address=ELSEWHERE).sign_in("victor")
        (one,) = self._get(victor).get(self.URL).json()["results"]
        assert (one["user"], one["address"]) == ("victor", ELSEWHERE)
        assert "digest" not in one
        assert one["is_this_one"] is False

    def test_says_which_one_asks(self, home: Browser) -> None:
        (one,) = home.get(self.URL).json()["results"]
        assert one["is_this_one"] is True

    def test_ends_ones_own_and_no_others(self, home: Browser, victor: User) -> None:
        other = Browser(address=ELSEWHERE)
        other.sign_in("victor")
        client = self._get(victor)
        alices = _session("198.51.100.9").pk
        assert client.delete(f"{self.URL}{alices}/").status_code == 404
        assert client.delete(f"{self.URL}{_session(ELSEWHERE).pk}/").status_code == 204
        assert (home.is_in(), other.is_in()) == (True, False)

    def test_who_may_see_all_may_not_thereby_end_them(self, home: Browser, victor: User) -> None:
        victor.user_permissions.add(
            Permission.objects.get(content_type__app_label="accounts", codename="view_session")
        )
        client = self._get(victor)
        pk = client.get(self.URL).json()["results"][0]["id"]
        assert client.delete(f"{self.URL}{pk}/").status_code == 404
