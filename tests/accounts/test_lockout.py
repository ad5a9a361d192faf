"""Guessing is slowed down, told and recorded; and nobody is shut out for long."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from accounts.lockout import counted_address, lock_of, prune_failures, unlock
from accounts.models import FailedSignIn
from tests.accounts.conftest import CODE, HOME, Browser, phone_of, recorded

pytestmark = pytest.mark.django_db


def _guess(browser: Browser, name: str, *, times: int) -> list[int]:
    return [browser.sign_in(name, f"guess {n}").status_code for n in range(times)]


def _pass(delta: timedelta) -> None:
    """Let time pass, as the rows see it."""
    for row in FailedSignIn.objects.all():
        FailedSignIn.objects.filter(pk=row.pk).update(attempt_time=row.attempt_time - delta)


def test_the_fifth_guess_locks_and_the_page_says_for_how_long(
    browser: Browser, alice: User
) -> None:
    assert _guess(browser, "alice", times=6) == [200, 200, 200, 200, 429, 429]
    right = browser.sign_in("alice")
    assert right.status_code == 429
    assert "15 minutes" in right.content.decode()
    assert right.headers["Retry-After"] == "900"
    assert not browser.is_in()


def test_it_ends_by_itself_and_guesses_meanwhile_do_not_prolong_it(
    browser: Browser, alice: User
) -> None:
    _guess(browser, "alice", times=5)
    _pass(timedelta(minutes=10))
    assert "5 minutes" in browser.sign_in("alice").content.decode()
    _pass(timedelta(minutes=5, seconds=1))
    browser.sign_in("alice")
    assert browser.is_in()


def test_the_same_person_elsewhere_is_not_shut_out(browser: Browser, alice: User) -> None:
    _guess(browser, "alice", times=5)
    elsewhere = Browser(address="203.0.113.7")
    elsewhere.sign_in("alice")
    assert elsewhere.is_in()


def test_an_address_is_locked_after_twenty_whatever_the_names(
    browser: Browser, alice: User
) -> None:
    codes = [browser.sign_in(f"name{n}", "x").status_code for n in range(21)]
    assert codes == [200] * 19 + [429, 429]
    assert browser.sign_in("alice").status_code == 429


def test_capitals_make_no_other_person(browser: Browser, alice: User) -> None:
    for name in ("alice", "Alice", " ALICE", "aLice "):
        browser.sign_in(name, "x")
    assert browser.sign_in("alicE", "x").status_code == 429


def test_another_browser_or_a_made_up_header_is_the_same_address(
    browser: Browser, alice: User
) -> None:
    for n in range(5):
        browser.client.post(
            "/admin/login/",
            {"username": "alice", "password": "x"},
            REMOTE_ADDR=HOME,
            HTTP_USER_AGENT=f"browser {n}",
            HTTP_X_FORWARDED_FOR=f"203.0.113.{n}",
        )
    assert browser.sign_in("alice").status_code == 429


def test_who_has_an_account_cannot_wash_away_what_he_guessed(
    browser: Browser, alice: User, victor: User
) -> None:
    for _ in range(2):
        _guess(browser, "alice", times=2)
        browser.sign_in("victor")
    assert _guess(browser, "alice", times=1) == [429]


def test_signing_in_forgets_ones_own_failures(browser: Browser, alice: User) -> None:
    for _ in range(3):
        _guess(browser, "alice", times=4)
        browser.sign_in("alice")
        assert browser.is_in()


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("198.51.100.9", "198.51.100.9"),
        ("::ffff:198.51.100.9", "198.51.100.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::"),
        ("", None),
        ("unix:", None),
    ],
)
def test_an_ipv6_address_counts_as_the_network_that_its_owner_has(
    address: str, counted: str | None
) -> None:
    assert counted_address(address) == counted


def test_an_unknown_name_is_answered_like_a_known_one(
    browser: Browser, alice: User, settings: Settings
) -> None:
    """Same words and same work, before the lock and behind it."""
    hashed: list[str] = []

    class Counting(MD5PasswordHasher):
        def encode(self, password: str, salt: str, *args: Any, **kwargs: Any) -> str:
            hashed.append(password)
            return str(super().encode(password, salt, *args, **kwargs))

    settings.PASSWORD_HASHERS = [f"{__name__}.Counting"]
    globals()["Counting"] = Counting
    found = {}
    for name in ("alice", "nobody"):
        there = Browser(address={"alice": "192.0.2.1", "nobody": "192.0.2.2"}[name])
        hashed.clear()
        pages = [there.sign_in(name, "wrong") for _ in range(6)]
        bodies = [_without_tokens(page.content.decode(), name) for page in pages]
        found[name] = ([page.status_code for page in pages], bodies, len(hashed))
    assert found["alice"] == found["nobody"]


def _without_tokens(page: str, name: str) -> str:
    lines = [line for line in page.splitlines() if "csrfmiddlewaretoken" not in line]
    return "\n".join(lines).replace(name, "…")


def test_a_burst_is_recorded_as_its_first_failure_and_the_lock(
    browser: Browser, alice: User
) -> None:
    _guess(browser, "alice", times=30)
    assert recorded() == ["console refuse sign-in of alice", "console lock sign-in of alice"]


def test_a_password_in_the_wrong_field_is_not_written_down(browser: Browser, alice: User) -> None:
    for n in range(30):
        browser.sign_in(f"{n} my secret password", "x")
    assert recorded() == [
        "console refuse sign-in of an unknown user",
        "console lock sign-in of an unknown user",
    ]
    kept = FailedSignIn.objects.first()
    assert kept is not None
    assert "csrf" not in kept.post_data.replace("csrfmiddlewaretoken=*", "")


def test_wrong_codes_count_too(browser: Browser, alice: User) -> None:
    phone_of(alice)
    browser.sign_in("alice")
    answers = [browser.post(CODE, code="000000").status_code for _ in range(6)]
    assert answers == [200, 200, 200, 200, 429, 429]


def test_the_right_password_alone_does_not_forget_wrong_codes(
    browser: Browser, alice: User
) -> None:
    phone_of(alice)
    for _ in range(2):
        browser.sign_in("alice")
        browser.post(CODE, code="000000")
        browser.post(CODE, code="000000")
    assert browser.sign_in("alice", "wrong").status_code == 429


def test_an_owner_unlocks(alice: User, victor: User) -> None:
    guessing, owner = Browser(address="203.0.113.7"), Browser()
    _guess(guessing, "victor", times=5)
    owner.sign_in("alice")
    row = FailedSignIn.objects.get()
    assert "locked for 15 min" in owner.get("/admin/accounts/failedsignin/").content.decode()
    owner.post(f"/admin/accounts/failedsignin/{row.pk}/delete/", post="yes")
    guessing.sign_in("victor")
    assert guessing.is_in()
    assert "console:alice unlock sign-in of victor from 203.0.113.7" in recorded()


def test_unlock_means_a_person_an_address_or_all(browser: Browser, alice: User) -> None:
    now = timezone.now()
    for name in ("alice", "bob"):
        _guess(browser, name, times=5)
    assert unlock(actor="test", now=now, username="carol") == 0
    assert unlock(actor="test", now=now, username="alice") == 5
    assert lock_of(username="bob", address=HOME, now=timezone.now()) is not None
    assert unlock(actor="test", now=now, address=HOME) == 5
    assert lock_of(username="bob", address=HOME, now=timezone.now()) is None


def test_what_counts_no_more_is_deleted(browser: Browser, alice: User) -> None:
    _guess(browser, "alice", times=3)
    now = timezone.now()
    assert prune_failures(now=now) == 0
    assert prune_failures(now=now + timedelta(minutes=16)) == 1


def test_a_clock_that_is_set_back_locks_nobody_out(browser: Browser, alice: User) -> None:
    _guess(browser, "alice", times=5)
    _pass(-timedelta(days=400))  # they failed while it ran ahead
    assert lock_of(username="alice", address=HOME, now=timezone.now()) is None
    assert browser.sign_in("alice", "wrong").status_code == 429  # and the count goes on
    _pass(-timedelta(days=400))
    browser.sign_in("alice")
    assert browser.is_in()
    _guess(browser, "alice", times=1)
    _pass(-timedelta(days=400))
    assert prune_failures(now=timezone.now()) == 1


def test_many_failures_leave_few_and_small_rows(browser: Browser, alice: User) -> None:
    for n in range(60):
        browser.client.post(
            "/admin/login/",
            {"username": f"n{n}" + "x" * 300, "password": "y" * 5000, "junk": "z" * 5000},
            REMOTE_ADDR=HOME,
            HTTP_USER_AGENT="a" * 5000,
        )
    rows = FailedSignIn.objects.all()
    assert len(rows) <= 20
    assert all(len(row.post_data) <= 2000 and len(row.username or "") <= 255 for row in rows)


def test_a_moment_without_failures_is_no_lock(now: datetime) -> None:
    assert lock_of(username="alice", address=None, now=now) is None
