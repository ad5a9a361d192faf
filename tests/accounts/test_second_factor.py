"""The second factor: set up, asked for, reset; and no way past it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts import second_factor
from accounts.models import RecoveryCode, SecondFactor, Session
from accounts.people import set_role
from accounts.second_factor import CodeRefused, FactorRefused
from accounts.services import create_token
from tests.accounts.conftest import (
    CODE,
    OWN,
    PASSWORD,
    SET_UP,
    SIGN_IN,
    Browser,
    Phone,
    factors,
    phone_of,
    recorded,
    recovery_codes_on,
    secret_on,
)

pytestmark = pytest.mark.django_db


def test_who_has_a_phone_signs_in_with_password_and_code(browser: Browser, alice: User) -> None:
    phone = phone_of(alice)
    asked = browser.sign_in("alice", next="/admin/own/")
    assert (asked.status_code, asked.headers["Location"]) == (302, CODE)
    assert not browser.is_in()
    page = browser.get(CODE)
    assert "alice" in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    done = browser.post(CODE, code=phone.code())
    assert (done.status_code, done.headers["Location"]) == (302, "/admin/own/")
    assert browser.is_in()
    assert recorded()[-1] == "console:alice sign-in user alice"


@pytest.mark.parametrize("wrong", ["", "000000", "12345", "x" * 5000, "١٢٣٤٥٦", "\0"])
def test_a_wrong_code_signs_nobody_in(browser: Browser, alice: User, wrong: str) -> None:
    phone = phone_of(alice)
    browser.sign_in("alice")
    if wrong == phone.code():
        wrong = "000001"
    answer = browser.post(CODE, code=wrong)
    assert answer.status_code == 200
    assert "This code is wrong" in answer.content.decode()
    assert not browser.is_in()


def test_a_code_that_was_used_is_refused(browser: Browser, alice: User, now: datetime) -> None:
    phone = phone_of(alice, now=now)
    code = phone.code(now=now)
    second_factor.check_code(user=alice, code=code, now=now)
    with pytest.raises(CodeRefused, match="used before"):
        second_factor.check_code(user=alice, code=code, now=now + timedelta(seconds=1))


def test_before_the_code_there_is_no_page_and_no_api(browser: Browser, alice: User) -> None:
    phone_of(alice)
    browser.sign_in("alice")
    for url in ("/admin/", OWN, "/admin/password_change/", "/why/", "/api/v1/docs/"):
        assert browser.get(url).status_code == 302, url
    for url in ("/api/v1/devices/", "/api/v1/tokens/", "/api/v1/sessions/"):
        assert browser.get(url).status_code == 401, url
    assert Session.objects.get().user is None


def test_a_sign_in_takes_ten_minutes_at_most(
    browser: Browser, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = phone_of(alice)
    browser.sign_in("alice")
    later = timezone.now() + timedelta(minutes=11)
    monkeypatch.setattr("accounts.views.second_factor.timezone.now", lambda: later)
    assert browser.post(CODE, code=phone.code(now=later)).headers["Location"] == SIGN_IN
    assert not browser.is_in()


@pytest.mark.parametrize("has_phone", [True, False])
def test_a_new_password_ends_a_sign_in_that_began_with_the_stolen_one(
    alice: User, settings: Settings, has_phone: bool
) -> None:
    settings.TSCM_SECOND_FACTOR = "everybody"
    phone = phone_of(alice) if has_phone else None
    thief = Browser(address="203.0.113.66")
    thief.sign_in("alice")
    if phone is None:
        phone = Phone(secret_on(thief.get(SET_UP).content.decode()))
    alice.set_password("battery staple 9")
    alice.save()
    page = CODE if has_phone else SET_UP
    assert thief.post(page, code=phone.code()).headers["Location"] == SIGN_IN
    assert not thief.is_in()
    assert factors() == int(has_phone)


def test_a_session_that_came_another_way_is_nobodys_while_a_code_is_owed(
    browser: Browser, alice: User
) -> None:
    phone_of(alice)
    browser.client.force_login(alice)
    assert not browser.is_in()
    browser.client.force_login(alice)
    assert browser.get("/api/v1/devices/").status_code == 401


def test_switching_the_setting_on_ends_what_was_let_in_before(
    browser: Browser, alice: User, settings: Settings
) -> None:
    browser.sign_in("alice")
    assert browser.is_in()
    settings.TSCM_SECOND_FACTOR = "operators"
    assert not browser.is_in()


def test_who_is_promoted_is_asked_at_once(
    browser: Browser, alice: User, victor: User, settings: Settings, now: datetime
) -> None:
    settings.TSCM_SECOND_FACTOR = "operators"
    browser.sign_in("victor")
    assert browser.is_in()
    set_role(user=victor, role="owner", actor="test", now=now)
    assert not browser.is_in()
    assert browser.sign_in("victor").headers["Location"] == SET_UP


def test_an_api_token_is_not_asked(browser: Browser, alice: User, settings: Settings) -> None:
    settings.TSCM_SECOND_FACTOR = "everybody"
    phone_of(alice)
    made = create_token(user=alice, name="script", actor="test", now=timezone.now())
    headers = {"Authorization": f"Bearer {made.text}"}
    assert browser.client.get("/api/v1/tokens/", headers=headers).status_code == 200


def test_a_recovery_code_signs_in_once_and_says_how_many_are_left(
    browser: Browser, alice: User
) -> None:
    code = phone_of(alice).recovery_codes[3]
    browser.sign_in("alice")
    browser.post(CODE, code=code.lower().replace("-", " "))
    assert browser.is_in()
    browser.client.logout()
    browser.sign_in("alice")
    assert "This code is wrong" in browser.post(CODE, code=code).content.decode()
    assert RecoveryCode.objects.filter(used_at=None).count() == 9


def test_neither_secret_nor_recovery_codes_can_be_read_in_the_database(alice: User) -> None:
    phone = phone_of(alice)
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM accounts_secondfactor")
        (kept,) = cursor.fetchone()
    assert phone.secret not in kept
    kept_codes = set(RecoveryCode.objects.values_list("digest", flat=True))
    assert not kept_codes & set(phone.recovery_codes)


def test_wrong_codes_make_wait_longer_but_never_for_ever(alice: User, now: datetime) -> None:
    phone = phone_of(alice, now=now)
    waits = []
    for _ in range(40):
        with pytest.raises(CodeRefused):
            second_factor.check_code(user=alice, code="wrong", now=now)
        factor = SecondFactor.objects.get()
        wait = second_factor._wait(factor, now=now)
        waits.append(wait)
        if wait > timedelta(0):
            with pytest.raises(CodeRefused, match="Wait"):  # even the right one
                second_factor.check_code(user=alice, code=phone.code(now=now), now=now)
            assert SecondFactor.objects.get().failures == factor.failures
            now += wait
    assert waits[1] == timedelta(0)
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=15)
    second_factor.check_code(user=alice, code=phone.code(now=now), now=now)
    assert SecondFactor.objects.get().failures == 0


def test_a_clock_that_is_set_back_shuts_nobody_out(alice: User, now: datetime) -> None:
    phone = phone_of(alice, now=now)
    ahead = now + timedelta(days=400)
    second_factor.check_code(user=alice, code=phone.code(now=ahead), now=ahead)
    for _ in range(4):
        with pytest.raises(CodeRefused):
            second_factor.check_code(user=alice, code="wrong", now=ahead + timedelta(minutes=1))
    code = phone.code(now=now)
    second_factor.check_code(user=alice, code=code, now=now)
    with pytest.raises(CodeRefused, match="used before"):
        second_factor.check_code(user=alice, code=code, now=now)


def _set_up(browser: Browser, **form: str) -> tuple[Phone, list[str]]:
    phone = Phone(secret_on(browser.get(SET_UP).content.decode()))
    answer = browser.post(SET_UP, code=phone.code(), **form)
    return phone, recovery_codes_on(answer.content.decode())


def test_a_person_sets_it_up_by_the_picture_and_a_code(browser: Browser, alice: User) -> None:
    browser.sign_in("alice")
    other = Browser()
    other.sign_in("alice")
    page = browser.get(SET_UP).content.decode()
    assert 'src="data:image/svg+xml' in page
    assert factors() == 0
    wrong = browser.post(SET_UP, code="123", password=PASSWORD)
    assert "This code is wrong" in wrong.content.decode()
    assert factors() == 0  # it counts once it is confirmed
    phone, codes = _set_up(browser, password=PASSWORD)
    assert (factors(), len(codes)) == (1, 10)
    assert browser.is_in()
    assert not other.is_in()  # it was let in with less
    shown_again = browser.get(OWN).content.decode()
    assert not any(code in shown_again for code in codes)
    assert "console:alice set-up second factor of alice" in recorded()
    later = phone.code(after=timedelta(seconds=30))
    other.sign_in("alice")
    assert other.post(CODE, code=later).status_code == 302
    assert other.is_in()


def test_who_must_have_one_sets_it_up_before_anything_else(
    browser: Browser, alice: User, settings: Settings
) -> None:
    settings.TSCM_SECOND_FACTOR = "everybody"
    asked = browser.sign_in("alice", next="/admin/own/")
    assert asked.headers["Location"] == SET_UP
    assert not browser.is_in()
    assert browser.get(CODE).headers["Location"] == SET_UP
    _, codes = _set_up(browser)
    assert len(codes) == 10
    assert browser.is_in()


@pytest.mark.parametrize(
    ("wanted", "role", "is_asked"),
    [
        ("nobody", "owner", False),
        ("operators", "owner", True),
        ("operators", "operator", True),
        ("operators", "auditor", False),
        ("everybody", "auditor", True),
    ],
)
def test_the_site_says_who_must_have_one(
    browser: Browser, victor: User, settings: Settings, wanted: str, role: str, is_asked: bool
) -> None:
    settings.TSCM_SECOND_FACTOR = wanted
    victor.groups.add(Group.objects.get_or_create(name=role)[0])
    browser.sign_in("victor")
    assert browser.is_in() is not is_asked


def test_a_browser_that_was_left_open_adds_no_phone(browser: Browser, alice: User) -> None:
    browser.sign_in("alice")
    for form in ({}, {"password": ""}, {"password": "wrong"}):
        assert _set_up(browser, **form)[1] == []
    page = browser.post(SET_UP, code="123", password="wrong").content.decode()
    assert "The password is wrong" in page
    assert factors() == 0
    assert browser.post(SET_UP, code="123", password="wrong").status_code == 429  # as at a sign-in


def test_two_who_set_up_at_once_never_see_one_secret(alice: User) -> None:
    """Else whoever knows the password could wait for its owner to confirm what both saw."""
    first, second = Browser(), Browser(address="203.0.113.66")
    first.sign_in("alice")
    second.sign_in("alice")
    secrets = {secret_on(one.get(SET_UP).content.decode()) for one in (first, second, first)}
    assert len(secrets) == 2
    _set_up(first, password=PASSWORD)
    assert not second.is_in()
    assert factors() == 1


def test_a_set_up_that_is_past_begins_anew(alice: User, now: datetime) -> None:
    begun = second_factor.begin_set_up(user=alice, now=now)
    later = now + timedelta(hours=2)
    assert second_factor.begun_set_up(user=alice, pk=begun.pk, now=later) is None
    second_factor.begin_set_up(user=alice, now=later)
    assert SecondFactor.objects.count() == 1


def test_new_codes_and_removal_want_a_code_first(browser: Browser, alice: User) -> None:
    phone = phone_of(alice)
    browser.sign_in("alice")
    browser.post(CODE, code=phone.code())
    for url in ("/admin/own/codes/", "/admin/own/remove/"):
        assert browser.get(url).status_code == 405
        assert browser.post(url, code="000000").status_code == 302
    assert factors() == 1
    page = browser.post("/admin/own/codes/", code=phone.recovery_codes[0]).content.decode()
    new = recovery_codes_on(page)
    assert len(new) == 10
    assert not set(new) & set(phone.recovery_codes)
    browser.post("/admin/own/remove/", code=phone.recovery_codes[1])
    assert factors() == 1  # the codes from before are worth nothing
    browser.post("/admin/own/remove/", code=new[0])
    assert factors() == 0
    assert recorded()[-2:] == [
        "console:alice renew recovery codes of alice",
        "console:alice remove second factor of alice",
    ]


def test_an_owner_resets_it_for_who_lost_it_and_ends_his_sessions(
    browser: Browser, alice: User, victor: User
) -> None:
    phone = phone_of(victor)
    lost = Browser()
    lost.sign_in("victor")
    lost.post(CODE, code=phone.code())
    assert lost.is_in()
    browser.sign_in("alice")
    factor = SecondFactor.objects.get()
    browser.post(f"/admin/accounts/secondfactor/{factor.pk}/delete/", post="yes")
    assert factors() == 0
    assert not lost.is_in()
    assert recorded()[-1] == "console:alice remove second factor of victor"


def test_who_is_no_owner_resets_nobodys(browser: Browser, alice: User, victor: User) -> None:
    phone_of(alice)
    browser.sign_in("victor")
    factor = SecondFactor.objects.get()
    page = f"/admin/accounts/secondfactor/{factor.pk}/delete/"
    assert browser.post(page, post="yes").status_code == 403
    assert factors() == 1


def test_there_is_one_factor_a_person(alice: User, now: datetime) -> None:
    phone_of(alice, now=now)
    with pytest.raises(FactorRefused, match="already"):
        second_factor.begin_set_up(user=alice, now=now)


def test_what_is_not_there_cannot_be_reset(alice: User, now: datetime) -> None:
    with pytest.raises(FactorRefused, match="alice has no second factor"):
        second_factor.reset_factor(user=alice, actor="test", now=now)
