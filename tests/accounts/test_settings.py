"""What the environment says of signing in is understood or refused; the checks tell the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_django import Settings

from accounts import checks
from accounts.roles import ROLES as KNOWN_ROLES
from tests.runtime.test_env import LDAP, OIDC
from tscm_site.env import CHECKOUT, EnvironmentRefused, read_environment
from tscm_site.env_sign_in import ROLES, SignInSettings
from tscm_site.sign_in import authentication_backends, silenced_checks


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A data folder with its secrets."""
    return str(tmp_path_factory.mktemp("data"))


def _read(data: str, **given: str) -> SignInSettings:
    environ = {"TSCM_DATA_DIR": data, **given}
    return read_environment(environ, checkout=Path("/nonexistent")).sign_in


def test_nothing_set_is_own_accounts_with_a_password(data: str) -> None:
    stock = _read(data)
    assert (stock.second_factor, stock.ldap, stock.oidc) == ("nobody", None, None)
    assert authentication_backends(stock)[-1] == "django.contrib.auth.backends.ModelBackend"


def test_roles_are_those_of_the_table() -> None:
    assert tuple(KNOWN_ROLES) == ROLES


def test_a_directory_and_a_provider_are_read_whole(data: str) -> None:
    found = _read(data, **LDAP, **OIDC)
    assert found.ldap is not None
    assert found.oidc is not None
    assert found.ldap.roles == (
        ("owner", "cn=admins,ou=groups,dc=example,dc=net"), ("auditor", "cn=audit"),
    )  # fmt: skip
    assert not found.ldap.starts_tls
    assert "correct horse" not in repr(found)
    assert "battery staple" not in repr(found)
    own, ldap, oidc = authentication_backends(found)[1:]
    assert (own.split(".")[0], ldap.split(".")[2], oidc.split(".")[2]) == ("django", "ldap", "oidc")


@pytest.mark.parametrize("missing", sorted({*LDAP, *OIDC}))
def test_half_of_it_is_refused_by_name(data: str, missing: str) -> None:
    given = {**LDAP, **OIDC}
    del given[missing]
    with pytest.raises(EnvironmentRefused) as refused:
        _read(data, **given)
    assert refused.value.variable == missing


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TSCM_SECOND_FACTOR", "yes"),
        ("TSCM_TRUSTED_PROXIES", "proxy.example.net"),
        ("TSCM_TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TSCM_TRUSTED_PROXIES", "::/0"),
        ("TSCM_TRUSTED_PROXIES", "192.0.2.1/24"),
        ("TSCM_LDAP_URL", "http://ldap.example.net"),
        ("TSCM_LDAP_URL", "ldap://user:pw@ldap.example.net"),
        ("TSCM_LDAP_URL", "ldap://"),
        ("TSCM_LDAP_URL", "ldaps://ldap.example.net?x"),
        ("TSCM_LDAP_ROLES", "king=cn=admins"),
        ("TSCM_LDAP_ROLES", "owner"),
        ("TSCM_LDAP_ROLES", "owner="),
        ("TSCM_LDAP_USER_FILTER", "uid={name}"),
        ("TSCM_LDAP_USER_FILTER", "(uid=dora)"),
        ("TSCM_LDAP_USER_FILTER", "((uid={name})"),
        ("TSCM_LDAP_GROUP_FILTER", "(member={other})"),
        ("TSCM_LDAP_SECONDS", "0"),
        ("TSCM_OIDC_ISSUER", "http://login.example.net"),
        ("TSCM_OIDC_ISSUER", "https://login.example.net/#x"),
        ("TSCM_OIDC_ISSUER", "https://login.example.net/ x"),
        ("TSCM_OIDC_ROLES", "owner;operator=x"),
        ("TSCM_OIDC_SECONDS", "61"),
    ],
)
def test_what_cannot_be_meant_is_refused(data: str, name: str, value: str) -> None:
    with pytest.raises(EnvironmentRefused) as refused:
        _read(data, **{**LDAP, **OIDC, name: value})
    assert refused.value.variable == name
    assert "pw" not in str(refused.value)


def test_an_issuer_stays_as_it_calls_itself(data: str) -> None:
    given = {**OIDC, "TSCM_OIDC_ISSUER": "https://login.example.net/"}
    found = _read(data, **given).oidc
    assert found is not None
    assert found.issuer == "https://login.example.net/"


def test_a_missing_package_or_file_is_told_with_what_to_do(
    data: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _read(data, **LDAP, **OIDC)
    assert found.ldap is not None
    settings.TSCM_LDAP = replace(found.ldap, ca=Path("/nonexistent.pem"))
    settings.TSCM_OIDC = found.oidc
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    told = [*checks.check_packages(None), *checks.check_authorities(None)]
    assert [one.id for one in told] == ["accounts.E001", "accounts.E002", "accounts.E003"]
    assert all(one.hint for one in told)
    assert len(authentication_backends(found)) == 2  # own accounts still work


def test_a_proxy_that_hides_who_comes_is_told(settings: Settings) -> None:
    assert checks.check_proxies(None) == []
    settings.CSRF_TRUSTED_ORIGINS = ["https://tscm.example.net"]
    assert [one.id for one in checks.check_proxies(None)] == ["accounts.W001"]
    settings.TSCM_TRUSTED_PROXIES = ("192.0.2.1",)
    assert checks.check_proxies(None) == []


def _manage(*arguments: str, data: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "TSCM_DATA_DIR": data, **environ},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {
            "TSCM_CONSOLE_URL": "https://tscm.example.net",
            "TSCM_CONSOLE_BIND": "0.0.0.0:8000",
            "TSCM_CSRF_TRUSTED_ORIGINS": "https://tscm.example.net",
            "TSCM_TRUSTED_PROXIES": "192.0.2.1",
        },
    ],
)
def test_nothing_is_said_against_a_site_that_is_deployed(
    data: str, environ: dict[str, str]
) -> None:
    done = _manage("check", "--deploy", "--fail-level", "WARNING", data=data, **environ)
    assert done.returncode == 0, done.stderr


def test_of_passwords_in_the_clear_on_a_network_no_check_is_silent(data: str) -> None:
    given = {"TSCM_DATA_DIR": data, "TSCM_CONSOLE_BIND": "0.0.0.0:8000"}
    assert silenced_checks(read_environment(given, checkout=Path("/nonexistent"))) == []
