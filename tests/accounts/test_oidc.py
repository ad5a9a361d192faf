"""People of a real OpenID Connect provider sign in by its word, and by nothing like it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import Group, User
from pytest_django import Settings

pytest.importorskip("mozilla_django_oidc", reason="not installed (requirements-sso.txt)")

from accounts.session_store import BEGAN
from accounts.sso import provider as providers, views
from accounts.sso.oidc import ProviderBackend
from tests.accounts.conftest import (
    CODE,
    OWN,
    SET_UP,
    SIGN_IN,
    Browser,
    Phone,
    factors,
    groups_of,
    oidc_settings,
    phone_of,
    recorded,
    secret_on,
)
from tests.fakes.foreground import NotInstalled, free_port
from tests.fakes.oidc import Provider

pytestmark = pytest.mark.django_db
START = "/admin/oidc/sign-in/"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    """A provider."""
    try:
        with Provider() as provider:
            yield provider
    except NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.fixture
def provider(running: Provider, settings: Settings) -> Provider:
    """The provider, and a console that knows it."""
    providers._held.clear()
    for role in ("owner", "auditor"):
        Group.objects.get_or_create(name=role)
    settings.TSCM_OIDC = oidc_settings(running.issuer)
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS, "accounts.sso.oidc.ProviderBackend",
    ]  # fmt: skip
    running.say(
        "4711",
        preferred_username="dora",
        email="dora@example.net",
        given_name="Dora",
        groups=["Firewall-Admins", "staff"],
    )
    return running


def _go(browser: Browser, start: str = START) -> str:
    """Ask to sign in with the provider, and return where the browser is sent."""
    answer = browser.get(start)
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def _come_back(browser: Browser, url: str) -> Any:
    parts = urlsplit(url)
    assert parts.path == "/admin/oidc/back/"
    return browser.get(f"{parts.path}?{parts.query}")


def _sign_in(browser: Browser, provider: Provider, subject: str = "4711") -> Any:
    return _come_back(browser, provider.sign_in(_go(browser), subject))


def test_a_person_signs_in_by_the_providers_word_with_the_role_of_his_group(
    browser: Browser, provider: Provider
) -> None:
    assert START in browser.get(SIGN_IN).content.decode()
    url = _go(browser, f"{START}?next=/admin/own/")
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://testserver/admin/oidc/back/"]
    done = _come_back(browser, provider.sign_in(url, "4711"))
    assert done.headers["Location"] == "/admin/own/"
    assert browser.is_in()
    user = User.objects.get(username="dora")
    assert (user.email, user.first_name, user.is_superuser) == ("dora@example.net", "Dora", False)
    assert not user.has_usable_password()
    assert groups_of("dora") == ["owner"]
    assert "console:dora sign-in user dora" in recorded()


def test_who_leaves_the_group_loses_the_role_at_the_next_sign_in(
    browser: Browser, provider: Provider
) -> None:
    provider.say("12", preferred_username="eve", groups=["firewall-admins"])
    _sign_in(browser, provider, "12")
    assert browser.is_in()
    provider.say("12", preferred_username="eve", groups=[])
    again = Browser()
    assert _sign_in(again, provider, "12").headers["Location"] == SIGN_IN
    assert not again.is_in()
    assert not browser.is_in()
    assert groups_of("eve") == []
    provider.say("12", preferred_username="renamed", groups="audit")
    _sign_in(again, provider, "12")
    assert again.is_in()
    assert groups_of("eve") == ["auditor"]  # one person, whatever the name becomes


@pytest.mark.parametrize(
    "claims",
    [
        {"preferred_username": "otto", "groups": ["staff"]},
        {"preferred_username": "otto"},
        {"groups": ["firewall-admins"]},
        {"preferred_username": "x" * 200, "groups": ["firewall-admins"]},
        {"preferred_username": "o t\nto", "groups": ["firewall-admins"]},
        {"preferred_username": ["otto"], "groups": ["firewall-admins"]},
        {"preferred_username": "otto", "groups": {"firewall-admins": 1}},
        {"preferred_username": "otto", "groups": 7},
    ],
)
def test_who_has_no_role_or_no_name_is_not_let_in(
    browser: Browser, provider: Provider, claims: dict[str, object]
) -> None:
    provider.say("13", **claims)
    assert _sign_in(browser, provider, "13").headers["Location"] == SIGN_IN
    assert "did not let you in" in browser.get(SIGN_IN).content.decode()
    assert recorded()[-1] == "console refuse sign-in by the provider"
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["alice", "ALICE"])
def test_a_name_of_a_local_account_is_no_way_into_it(
    browser: Browser, provider: Provider, alice: User, name: str
) -> None:
    provider.say("14", preferred_username=name, groups=["firewall-admins"])
    _sign_in(browser, provider, "14")
    assert not browser.is_in()


def test_who_refuses_there_is_not_in_here(browser: Browser, provider: Provider) -> None:
    _come_back(browser, provider.refuse(_go(browser)))
    assert not browser.is_in()


def test_being_refused_there_is_no_guessing(browser: Browser, provider: Provider) -> None:
    provider.say("15", preferred_username="otto")
    for _ in range(6):
        assert _sign_in(browser, provider, "15").status_code == 302
    _sign_in(browser, provider)
    assert browser.is_in()


def test_what_one_browser_began_another_cannot_end(browser: Browser, provider: Provider) -> None:
    back = provider.sign_in(_go(browser), "4711")
    other = Browser()
    _go(other)
    assert _come_back(other, back).status_code == 400
    assert not other.is_in()


def test_a_code_is_good_once(browser: Browser, provider: Provider) -> None:
    back = provider.sign_in(_go(browser), "4711")
    _come_back(browser, back)
    browser.client.post("/admin/logout/")
    _come_back(browser, back)
    assert not browser.is_in()


def test_it_leads_back_to_the_console_only(browser: Browser, provider: Provider) -> None:
    url = _go(browser, f"{START}?next=https://evil.example/")
    done = _come_back(browser, provider.sign_in(url, "4711"))
    assert done.headers["Location"] == "/admin/"


def test_the_second_factor_is_asked_for_too(browser: Browser, provider: Provider) -> None:
    _sign_in(browser, provider)
    phone = phone_of(User.objects.get())
    assert _sign_in(Browser(), provider).headers["Location"] == CODE
    again = Browser()
    _sign_in(again, provider)
    assert not again.is_in()
    again.post(CODE, code=phone.code())
    assert again.is_in()


def test_a_phone_is_set_up_within_ten_minutes_of_the_providers_word(
    browser: Browser, provider: Provider
) -> None:
    _sign_in(browser, provider)
    session = browser.client.session
    began = session[BEGAN]
    session[BEGAN] = began - 601
    session.save()
    assert browser.get(SET_UP).headers["Location"] == OWN
    assert "Sign out and in again first" in browser.get(OWN).content.decode()
    session[BEGAN] = began
    session.save()
    page = browser.get(SET_UP).content.decode()
    assert 'name="password"' not in page
    browser.post(SET_UP, code=Phone(secret_on(page)).code())
    assert factors() == 1


def test_who_comes_back_with_made_up_codes_leaves_threads_for_others(
    browser: Browser, provider: Provider
) -> None:
    back = provider.sign_in(_go(browser), "4711")
    with views._exchanges, views._exchanges:
        _come_back(browser, back)
        assert "Others are signing in just now" in browser.get(SIGN_IN).content.decode()
    _come_back(browser, back)
    assert browser.is_in()


def test_a_new_role_ends_the_sessions_from_before(browser: Browser, provider: Provider) -> None:
    provider.say("16", preferred_username="eve", groups=["audit"])
    _sign_in(browser, provider, "16")
    provider.say("16", preferred_username="eve", groups=["firewall-admins"])
    again = Browser()
    _sign_in(again, provider, "16")
    assert (browser.is_in(), again.is_in()) == (False, True)


def test_who_is_switched_off_here_stays_out(browser: Browser, provider: Provider) -> None:
    _sign_in(browser, provider)
    User.objects.update(is_active=False)
    _sign_in(browser, provider)
    assert not browser.is_in()


def test_while_it_is_away_local_accounts_work(
    browser: Browser, provider: Provider, settings: Settings, alice: User
) -> None:
    settings.TSCM_OIDC = oidc_settings(f"http://localhost:{free_port()}")
    assert _go(browser) == SIGN_IN
    assert "gives no answer" in browser.get(SIGN_IN).content.decode()
    browser.sign_in("alice")
    assert browser.is_in()


def test_where_there_is_none_there_is_nothing(browser: Browser, db: None) -> None:
    assert browser.get(START).status_code == 404
    assert browser.get("/admin/oidc/back/?code=x&state=y").status_code == 404
    assert START not in browser.get(SIGN_IN).content.decode()


class TestIdToken:
    """What the library leaves open."""

    KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def _read(self, **changes: object) -> dict[str, Any]:
        now = int(time.time())
        said = {
            "iss": "https://login.example.net", "aud": "tscm", "sub": "1", "iat": now,
            "exp": now + 300, **changes,
        }  # fmt: skip
        wanted = {name: value for name, value in said.items() if value is not None}
        token = jwt.encode(wanted, self.KEY, algorithm="RS256")
        return ProviderBackend().get_payload_data(token, self.KEY.public_key())

    @pytest.fixture(autouse=True)
    def known(self, settings: Settings) -> None:
        settings.TSCM_OIDC = oidc_settings("https://login.example.net")

    def test_a_sound_one_is_taken(self) -> None:
        assert self._read()["sub"] == "1"

    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": "another-console"},
            {"aud": None},
            {"iss": "https://evil.example"},
            {"iss": None},
            {"exp": int(time.time()) - 3600},
            {"exp": None},
            {"sub": None},
        ],
    )
    def test_one_for_others_by_others_or_too_late_is_refused(
        self, changes: dict[str, object]
    ) -> None:
        with pytest.raises(jwt.PyJWTError):
            self._read(**changes)

    def test_one_that_nobody_signed_is_refused(self) -> None:
        token = jwt.encode({"sub": "1"}, "", algorithm="none")
        with pytest.raises(jwt.PyJWTError):
            ProviderBackend().get_payload_data(token, self.KEY.public_key())
