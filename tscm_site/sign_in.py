"""What the settings of signing in follow from: who vouches for people, and whether HTTPS does."""

from __future__ import annotations

import importlib.util

from tscm_site.env import Environment
from tscm_site.env_sign_in import SignInSettings
from tscm_site.env_values import LOOPBACK

# HSTS, redirects to HTTPS and cookies by HTTPS only: no sense where nothing leaves the machine.
_OF_HTTPS = ["security.W004", "security.W008", "security.W012", "security.W016"]
# HSTS for other names of the site's domain, and for ever: the domain's owner decides that.
_OF_THE_DOMAIN = ["security.W005", "security.W021"]


def authentication_backends(given: SignInSettings) -> list[str]:
    """Return who is asked, in order: own accounts first, so that they work when others are away.

    One whose package is missing is left out; a system check says so.
    """
    backends = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
    if given.ldap is not None and has_package("django_auth_ldap"):
        backends.append("accounts.sso.ldap.DirectoryBackend")
    if given.oidc is not None and has_package("mozilla_django_oidc"):
        backends.append("accounts.sso.oidc.ProviderBackend")
    return backends


def has_package(name: str) -> bool:
    """Tell whether an optional package is installed."""
    return importlib.util.find_spec(name) is not None


def is_https(console_url: str) -> bool:
    """Tell whether people reach the console by HTTPS."""
    return console_url.startswith("https://")


def silenced_checks(environment: Environment) -> list[str]:
    """Return the checks of `check --deploy` that do not concern this site."""
    if is_https(environment.mail.console_url):
        return _OF_THE_DOMAIN
    return _OF_HTTPS if environment.console_bind.host in LOOPBACK else []
