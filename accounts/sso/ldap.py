"""People of an LDAP directory sign in with the password they have there.

The directory is always asked by TLS, with its certificate verified, within bounded time; while it
is away, the appliance's own accounts work all the same.
"""

from __future__ import annotations

import logging
from typing import Any

import ldap
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from django_auth_ldap.backend import LDAPBackend, LDAPSettings, _LDAPUser
from django_auth_ldap.config import LDAPSearch
from ldap.filter import escape_filter_chars

from accounts.models import Kind
from accounts.sso.people import NotLetIn, Vouched, let_in, roles_of
from accounts.sso.settings import LdapSettings

_MOST_GROUPS = 1000
_NO_ATTRIBUTES = ["1.1"]  # RFC 4511, 4.5.1.8
_LONGEST_NAME, _LONGEST_PASSWORD = 150, 1024

log = logging.getLogger(__name__)


class DirectoryBackend(LDAPBackend):  # type: ignore[misc]
    """Asks the directory of TSCM_LDAP_URL: who has this name, is this his password, his groups."""

    @property
    def settings(self) -> LDAPSettings:
        """What django-auth-ldap is told, of our own settings."""
        return LDAPSettings(self.settings_prefix, _told())

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> User | None:
        """Return the user, None for whoever is unknown there or has another password."""
        if not username or not password or "\0" in username + password:
            return None
        if len(username) > _LONGEST_NAME or len(password) > _LONGEST_PASSWORD:
            return None
        found: User | None = super().authenticate(request, username, password, **credentials)
        return found

    def authenticate_ldap_user(self, ldap_user: _LDAPUser, password: str) -> User | None:
        """Return the user whose password the directory took, None where he is not let in."""
        try:
            ldap_user._authenticate_user_dn(password)  # noqa: SLF001  as the hook's own default
            return self._let_in(ldap_user)
        except ldap_user.AuthenticationFailed as refused:
            log.info("LDAP sign-in refused: %s", refused)
        except NotLetIn as refused:
            log.warning("LDAP sign-in refused: %s", refused)
        except ldap.LDAPError as error:
            log.warning("the LDAP directory %s gave no answer: %s", self.settings.SERVER_URI, error)
        return None

    def get_user(self, user_id: int) -> User | None:
        """Return the user of a session."""
        return User.objects.filter(pk=user_id).first()

    def get_group_permissions(self, user: Any, obj: Any = None) -> set[str]:  # noqa: ARG002
        """Return nothing: what a role may do is the appliance's own to say."""
        return set()

    def _let_in(self, ldap_user: _LDAPUser) -> User:
        held = {name.lower(): values for name, values in (ldap_user.attrs or {}).items()}

        def first(attribute: str) -> str:
            return str(next(iter(held.get(attribute, ())), ""))

        name = first(_name_attribute()) or ldap_user._username  # noqa: SLF001
        mapped = _ours().roles
        vouched = Vouched(
            kind=Kind.LDAP,
            subject=name.casefold(),
            name=name,
            email=first("mail"),
            first_name=first("givenname"),
            last_name=first("sn"),
        )
        roles = roles_of(_groups_of(ldap_user, name), mapped=mapped)
        now = timezone.now()  # noqa: TID251  an edge
        return let_in(vouched, roles=roles, mapped=mapped, now=now)


def _groups_of(ldap_user: _LDAPUser, name: str) -> list[str]:
    """Return the DNs of a person's groups.

    Raises LDAPError: a search that failed must not pass for a person without groups.
    """
    wanted = _ours().group_filter.replace("{dn}", escape_filter_chars(ldap_user.dn))
    wanted = wanted.replace("{name}", escape_filter_chars(name))
    connection = ldap_user.connection
    found = connection.search_ext_s(
        _ours().groups,
        ldap.SCOPE_SUBTREE,
        wanted,
        _NO_ATTRIBUTES,
        timeout=_ours().seconds,
        sizelimit=_MOST_GROUPS,
    )
    return [dn for dn, _ in found if dn]  # a referral has none


def _name_attribute() -> str:
    """Return the attribute that people are found by: what was typed may be written otherwise."""
    before = _ours().user_filter.partition("={name}")[0]
    return before.rpartition("(")[2].strip().lower()


def _told() -> dict[str, Any]:
    ours = _ours()
    wanted = ours.user_filter.replace("%", "%%").replace("{name}", "%(user)s")
    return {
        "SERVER_URI": ours.url,
        "START_TLS": ours.starts_tls,
        "BIND_DN": ours.bind_dn,
        "BIND_PASSWORD": ours.bind_password,
        "USER_SEARCH": LDAPSearch(ours.users, ldap.SCOPE_SUBTREE, wanted),
        "CONNECTION_OPTIONS": _options(),
    }


def _options() -> dict[int, Any]:
    """Return how a connection is made; the last one lets those of TLS count, so order matters."""
    ours = _ours()
    options = {
        ldap.OPT_REFERRALS: 0,
        ldap.OPT_NETWORK_TIMEOUT: ours.seconds,
        ldap.OPT_TIMEOUT: ours.seconds,
        ldap.OPT_X_TLS_REQUIRE_CERT: ldap.OPT_X_TLS_DEMAND,
    }
    if ours.ca is not None:
        options[ldap.OPT_X_TLS_CACERTFILE] = str(ours.ca)
    options[ldap.OPT_X_TLS_NEWCTX] = 0
    return options


def _ours() -> LdapSettings:
    given: LdapSettings | None = settings.TSCM_LDAP
    assert given is not None  # noqa: S101  else the backend is not asked
    return given
