"""System checks of signing in: what is wanted and cannot work as it stands."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning as CheckWarning

_INSTALL = "make setup installs it, with what else is in requirements-sso.txt."


def check_packages(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Tell where a way to sign in is set and its package is missing."""
    wanted = (
        (settings.TSCM_LDAP, "TSCM_LDAP_URL", "django_auth_ldap", "accounts.E001"),
        (settings.TSCM_OIDC, "TSCM_OIDC_ISSUER", "mozilla_django_oidc", "accounts.E002"),
    )
    return [
        Error(f"{name} is set, and the package {package} is missing.", hint=_INSTALL, id=code)
        for given, name, package, code in wanted
        if given is not None and importlib.util.find_spec(package) is None
    ]


def check_authorities(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Tell where the file of authorities to trust is not there."""
    found: list[CheckMessage] = []
    for given, name in ((settings.TSCM_LDAP, "TSCM_LDAP_CA"), (settings.TSCM_OIDC, "TSCM_OIDC_CA")):
        if given is not None and given.ca is not None and not Path(given.ca).is_file():
            hint = "Name a PEM file that the console may read, or none for the machine's own."
            found.append(Error(f"{name}={given.ca}: no such file.", hint=hint, id="accounts.E003"))
    return found


def check_proxies(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:  # noqa: ARG001
    """Tell where people come through a proxy and would all have its address."""
    if not settings.CSRF_TRUSTED_ORIGINS or settings.TSCM_TRUSTED_PROXIES:
        return []
    return [
        CheckWarning(
            "TSCM_CSRF_TRUSTED_ORIGINS names a proxy and TSCM_TRUSTED_PROXIES none: everybody has "
            "the proxy's address, so failed sign-ins of one lock out all.",
            hint="Set TSCM_TRUSTED_PROXIES to the proxy's address.",
            id="accounts.W001",
        )
    ]


CHECKS = ((check_packages, ()), (check_authorities, ()), (check_proxies, (Tags.security,)))
