"""People of a real directory sign in: with TLS, with the roles of their groups, or not at all."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
import trustme
from django.contrib.auth.models import Group, User
from pytest_django import Settings

pytest.importorskip("ldap", reason="python-ldap is not installed (requirements-sso.txt)")
pytest.importorskip("django_auth_ldap", reason="django-auth-ldap is not installed")

from accounts.models import ExternalAccount
from accounts.sso.settings import LdapSettings
from tests.accounts.conftest import (
    CODE,
    SET_UP,
    Browser,
    Phone,
    factors,
    groups_of,
    phone_of,
    recorded,
    secret_on,
)
from tests.fakes.foreground import NotInstalled, free_port
from tests.fakes.slapd import GROUPS, MANAGER, MANAGER_PASSWORD, PEOPLE, Slapd

pytestmark = pytest.mark.django_db
GOOD = "battery staple"
ADMINS, AUDIT = f"CN=Firewall-Admins, {GROUPS}", f"cn=audit,{GROUPS}"


@pytest.fixture(scope="module")
def running() -> Iterator[Slapd]:
    """A directory: Dora administers, Otto belongs to nothing."""
    try:
        with Slapd() as slapd:
            mail = ["mail: dora@example.net", "givenName: Dora"]
            dora = slapd.add_person("dora", password=GOOD, attributes=mail)
            slapd.add_person("otto", password=GOOD)
            slapd.add_group("firewall-admins", dora)
            slapd.add_group("audit")
            yield slapd
    except NotInstalled as missing:
        pytest.skip(str(missing))


def _settings(slapd: Slapd) -> LdapSettings:
    return LdapSettings(
        url=slapd.url,
        starts_tls=True,
        ca=slapd.ca,
        bind_dn=MANAGER,
        bind_password=MANAGER_PASSWORD,
        users=PEOPLE,
        user_filter="(uid={name})",
        groups=GROUPS,
        group_filter="(|(member={dn})(uniqueMember={dn})(memberUid={name}))",
        roles=(("owner", ADMINS), ("auditor", AUDIT)),
        seconds=2,
    )


@pytest.fixture
def directory(running: Slapd, settings: Settings) -> Slapd:
    """The directory, and a console that asks it."""
    for role in ("owner", "auditor", "of another system"):
        Group.objects.get_or_create(name=role)
    settings.TSCM_LDAP = _settings(running)
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS, "accounts.sso.ldap.DirectoryBackend",
    ]  # fmt: skip
    return running


def test_a_person_of_the_directory_signs_in_with_the_role_of_his_group(
    browser: Browser, directory: Slapd
) -> None:
    browser.sign_in("dora", GOOD)
    assert browser.is_in()
    user = User.objects.get(username="dora")
    assert (user.email, user.first_name, user.is_superuser) == ("dora@example.net", "Dora", False)
    assert not user.has_usable_password()
    assert groups_of("dora") == ["owner"]
    assert "console:dora sign-in user dora" in recorded()
    assert browser.get("/admin/policies/policy/").status_code == 200


def test_tls_from_the_start_does_as_well(
    browser: Browser, directory: Slapd, settings: Settings
) -> None:
    settings.TSCM_LDAP = replace(settings.TSCM_LDAP, url=directory.tls_url, starts_tls=False)
    browser.sign_in("dora", GOOD)
    assert browser.is_in()


@pytest.mark.parametrize("starts_tls", [True, False])
def test_a_server_whose_certificate_is_not_trusted_gets_no_password(
    browser: Browser, directory: Slapd, settings: Settings, tmp_path: object, starts_tls: bool
) -> None:
    other = directory.folder / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    settings.TSCM_LDAP = replace(
        settings.TSCM_LDAP,
        ca=other,
        url=directory.url if starts_tls else directory.tls_url,
        starts_tls=starts_tls,
    )
    browser.sign_in("dora", GOOD)
    assert not browser.is_in()


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("dora", "wrong"),
        ("dora", ""),
        ("nobody", GOOD),
        ("*", GOOD),
        ("dora)(uid=*", GOOD),
        ("do%a", GOOD),
        ("%(user)s", GOOD),
        ("d" * 200, GOOD),
        ("dora", "x" * 5000),
    ],
)
def test_whoever_else_is_nobody(
    browser: Browser, directory: Slapd, name: str, password: str
) -> None:
    assert browser.sign_in(name, password).status_code == 200
    assert not browser.is_in()
    assert not User.objects.exists()


def test_who_is_in_no_group_is_not_let_in_and_no_user_is_made(
    browser: Browser, directory: Slapd
) -> None:
    browser.sign_in("otto", GOOD)
    assert not browser.is_in()
    assert not User.objects.exists()


def test_who_leaves_the_group_loses_the_role_at_the_next_sign_in_and_gets_it_back(
    browser: Browser, directory: Slapd
) -> None:
    eve = directory.add_person("eve", password=GOOD)
    group = f"cn=firewall-admins,{GROUPS}"
    directory.put_in(group, eve)
    browser.sign_in("eve", GOOD)
    User.objects.get(username="eve").groups.add(Group.objects.get(name="of another system"))
    directory.take_out(group, eve)
    again = Browser()
    again.sign_in("eve", GOOD)
    assert not again.is_in()
    assert not browser.is_in()  # sessions from before end, too
    assert groups_of("eve") == ["of another system"]
    directory.put_in(f"cn=audit,{GROUPS}", eve)
    again.sign_in("eve", GOOD)
    assert again.is_in()
    assert groups_of("eve") == ["auditor", "of another system"]
    assert recorded().count("sign-in:ldap change user eve") == 3


def test_a_name_of_a_local_account_is_no_way_into_it(
    browser: Browser, directory: Slapd, alice: User
) -> None:
    """Else whoever may name people in the directory could become the owner here."""
    dn = directory.add_person("alice", password="chosen there")
    directory.put_in(f"cn=audit,{GROUPS}", dn)
    for name in ("alice", "ALICE", "Alice "):
        browser.sign_in(name, "chosen there")
        assert not browser.is_in()
    browser.sign_in("alice")
    assert browser.is_in()


def test_one_person_is_one_user_however_the_name_is_typed(
    browser: Browser, directory: Slapd
) -> None:
    for name in ("dora", "DORA", " Dora"):
        browser.sign_in(name, GOOD)
        assert browser.is_in()
    assert ExternalAccount.objects.count() == User.objects.count() == 1


def test_who_is_switched_off_here_stays_out(browser: Browser, directory: Slapd) -> None:
    browser.sign_in("dora", GOOD)
    User.objects.update(is_active=False)
    assert not browser.is_in()
    browser.sign_in("dora", GOOD)
    assert not browser.is_in()


def test_the_second_factor_is_asked_for_too(browser: Browser, directory: Slapd) -> None:
    browser.sign_in("dora", GOOD)
    phone = phone_of(User.objects.get())
    asked = browser.sign_in("dora", GOOD)
    assert asked.headers["Location"] == CODE
    browser.post(CODE, code=phone.code())
    assert browser.is_in()


def test_a_phone_is_set_up_with_the_password_of_the_directory(
    browser: Browser, directory: Slapd
) -> None:
    browser.sign_in("dora", GOOD)
    phone = Phone(secret_on(browser.get(SET_UP).content.decode()))
    browser.post(SET_UP, code=phone.code(), password="wrong")
    assert factors() == 0
    browser.post(SET_UP, code=phone.code(), password=GOOD)
    assert factors() == 1


def test_guesses_are_counted_as_with_local_accounts(browser: Browser, directory: Slapd) -> None:
    answers = [browser.sign_in("dora", "x").status_code for _ in range(5)]
    assert answers[-1] == 429
    assert browser.sign_in("DORA", GOOD).status_code == 429


@pytest.mark.parametrize("is_silent", [True, False])
def test_while_it_is_away_local_accounts_work(
    browser: Browser,
    directory: Slapd,
    settings: Settings,
    alice: User,
    caplog: pytest.LogCaptureFixture,
    is_silent: bool,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1] if is_silent else free_port()
        settings.TSCM_LDAP = replace(settings.TSCM_LDAP, url=f"ldap://127.0.0.1:{port}", seconds=1)
        with caplog.at_level(logging.WARNING):
            assert browser.sign_in("dora", GOOD).status_code == 200
        assert "LDAP" in caplog.text
        assert GOOD not in caplog.text
        browser.sign_in("alice")
        assert browser.is_in()


def test_a_search_for_groups_that_fails_takes_no_role_away(
    browser: Browser, directory: Slapd, settings: Settings
) -> None:
    browser.sign_in("dora", GOOD)
    settings.TSCM_LDAP = replace(settings.TSCM_LDAP, groups="ou=gone,dc=example,dc=net")
    Browser().sign_in("dora", GOOD)
    assert groups_of("dora") == ["owner"]
    assert browser.is_in()
