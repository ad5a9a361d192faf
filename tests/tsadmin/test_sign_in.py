from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import FailedSignIn, SecondFactor, Session
from policies.models import Change
from tests.accounts.conftest import PASSWORD, Browser, phone_of
from tests.tsadmin.conftest import Tsadmin

pytestmark = pytest.mark.django_db
ELSEWHERE = "203.0.113.7"


@pytest.fixture
def alice() -> User:
    return User.objects.create_superuser("alice", password=PASSWORD)


def _lock(name: str, *, address: str = ELSEWHERE) -> None:
    for _ in range(5):
        Browser(address=address).sign_in(name, "wrong")


def test_a_locked_person_is_let_in_again(tsadmin: Tsadmin, alice: User) -> None:
    _lock("alice")
    answer = tsadmin("unlock", "alice")
    assert (answer.code, answer.stdout) == (0, "Forgot 5 failed sign-ins.\n")
    browser = Browser(address=ELSEWHERE)
    browser.sign_in("alice")
    assert browser.is_in()
    verbs = Change.objects.filter(verb="unlock").values_list("actor", flat=True)
    assert [actor.partition(":")[0] for actor in verbs] == ["tsadmin"]


def test_an_address_or_everybody_is_unlocked(tsadmin: Tsadmin, alice: User) -> None:
    _lock("alice")
    _lock("bob", address="2001:db8::1")
    assert tsadmin("unlock", "--address", "2001:db8::77", "--json").json == {"forgotten": 5}
    assert tsadmin("unlock", "--all", "--json").json == {"forgotten": 5}
    assert tsadmin("unlock", "--all", "--json").json == {"forgotten": 0}
    assert not FailedSignIn.objects.exists()


def test_unlock_wants_to_know_whom(tsadmin: Tsadmin) -> None:
    answer = tsadmin("unlock")
    assert (answer.code, answer.error) == (2, "say whose: USER, --address or --all")
    assert tsadmin("unlock", "--address", "here").error == "here is no address"


def test_the_last_owner_gets_in_without_the_phone(tsadmin: Tsadmin, alice: User) -> None:
    phone_of(alice)
    browser = Browser()
    browser.sign_in("alice")
    assert not browser.is_in()
    answer = tsadmin("reset-factor", "alice", "--json")
    assert answer.json == {"reset": "alice"}
    browser.sign_in("alice")
    assert browser.is_in()
    assert not SecondFactor.objects.exists()


def test_what_is_not_there_is_told(tsadmin: Tsadmin, alice: User) -> None:
    assert tsadmin("reset-factor", "alice").error == "alice has no second factor"
    assert "no user is named carol" in tsadmin("reset-factor", "carol").error
    assert "no session 77" in tsadmin("sessions", "end", "77").error
    assert tsadmin("sessions", "end").code == 2
    assert "Nobody is signed in" in tsadmin("sessions", "list").stderr


def test_sessions_are_listed_and_ended(tsadmin: Tsadmin, alice: User) -> None:
    first, second, third = (Browser(address=f"203.0.113.{n}") for n in (1, 2, 3))
    for browser in (first, second, third):
        browser.sign_in("alice")
    assert "203.0.113.2" in tsadmin("sessions", "list").stdout
    listed = tsadmin("sessions", "list", "--user", "alice", "--json").json["sessions"]
    assert {one["address"] for one in listed} == {"203.0.113.1", "203.0.113.2", "203.0.113.3"}
    (wanted,) = (one["id"] for one in listed if one["address"] == "203.0.113.2")
    assert tsadmin("sessions", "end", str(wanted), "--json").json == {"ended": 1}
    assert [one.is_in() for one in (first, second, third)] == [True, False, True]
    assert tsadmin("sessions", "end", "--user", "alice").stdout == "Ended 2 sessions.\n"
    assert not Session.objects.filter(user=alice, expires_at__gt=timezone.now()).exists()
