"""What the environment says of signing in: second factor, proxies, LDAP and OpenID Connect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from accounts.sso.settings import LdapSettings, OidcSettings, RoleMap
from tscm_site.env_values import (
    LOOPBACK,
    EnvironmentRefused,
    Network,
    env_choice,
    env_int,
    env_list,
    env_path_or_none,
    env_str,
    network,
    parts_of_url,
)

SecondFactorFor = Literal["nobody", "operators", "everybody"]
_SECOND_FACTOR: tuple[SecondFactorFor, ...] = ("nobody", "operators", "everybody")
# As in accounts.roles, which stands behind Django; a test holds them together.
ROLES = ("owner", "operator", "report manager", "report viewer", "auditor")


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """Everything the environment decides of signing in."""

    second_factor: SecondFactorFor
    trusted_proxies: tuple[Network, ...]
    ldap: LdapSettings | None
    oidc: OidcSettings | None


def read_sign_in_settings(environ: Mapping[str, str], *, checkout: Path) -> SignInSettings:
    """Read and check the variables of signing in. Raises EnvironmentRefused."""
    return SignInSettings(
        second_factor=env_choice("TSCM_SECOND_FACTOR", environ, known=_SECOND_FACTOR),
        trusted_proxies=_proxies(environ),
        ldap=_ldap(environ, checkout),
        oidc=_oidc(environ, checkout),
    )


def _proxies(environ: Mapping[str, str]) -> tuple[Network, ...]:
    name = "TSCM_TRUSTED_PROXIES"
    found = []
    for text in env_list(name, environ):
        proxies = network(name, text, accepted="addresses and networks of proxies")
        if proxies.prefixlen == 0:
            raise EnvironmentRefused(name, text, "the proxies only: of all others, anybody is one")
        found.append(proxies)
    return tuple(found)


def _ldap(environ: Mapping[str, str], checkout: Path) -> LdapSettings | None:
    needed = ("TSCM_LDAP_URL", "TSCM_LDAP_USERS", "TSCM_LDAP_GROUPS", "TSCM_LDAP_ROLES")
    if not _is_whole(needed, environ):
        return None
    bind_dn = env_str("TSCM_LDAP_BIND_DN", environ)
    password = env_str("TSCM_LDAP_BIND_PASSWORD", environ)
    if bool(bind_dn) != bool(password):
        missing = "TSCM_LDAP_BIND_PASSWORD" if bind_dn else "TSCM_LDAP_BIND_DN"
        raise EnvironmentRefused(missing, "", "a DN and its password, or neither")
    url = _url("TSCM_LDAP_URL", environ, schemes={"ldap", "ldaps"})
    return LdapSettings(
        url=url,
        starts_tls=url.startswith("ldap://"),
        ca=env_path_or_none("TSCM_LDAP_CA", environ, relative_to=checkout),
        bind_dn=bind_dn,
        bind_password=password,
        users=env_str("TSCM_LDAP_USERS", environ),
        user_filter=_filter("TSCM_LDAP_USER_FILTER", environ, places={"{name}"}),
        groups=env_str("TSCM_LDAP_GROUPS", environ),
        group_filter=_filter("TSCM_LDAP_GROUP_FILTER", environ, places={"{dn}", "{name}"}),
        roles=_roles("TSCM_LDAP_ROLES", environ),
        seconds=env_int("TSCM_LDAP_SECONDS", environ, least=1, most=60),
    )


def _oidc(environ: Mapping[str, str], checkout: Path) -> OidcSettings | None:
    needed = (
        "TSCM_OIDC_ISSUER", "TSCM_OIDC_CLIENT_ID", "TSCM_OIDC_CLIENT_SECRET", "TSCM_OIDC_ROLES",
    )  # fmt: skip
    if not _is_whole(needed, environ):
        return None
    return OidcSettings(
        issuer=_url("TSCM_OIDC_ISSUER", environ, schemes={"https", "http"}),
        client_id=env_str("TSCM_OIDC_CLIENT_ID", environ),
        client_secret=env_str("TSCM_OIDC_CLIENT_SECRET", environ),
        ca=env_path_or_none("TSCM_OIDC_CA", environ, relative_to=checkout),
        scopes=env_str("TSCM_OIDC_SCOPES", environ),
        name_claim=env_str("TSCM_OIDC_NAME_CLAIM", environ),
        roles_claim=env_str("TSCM_OIDC_ROLES_CLAIM", environ),
        roles=_roles("TSCM_OIDC_ROLES", environ),
        seconds=env_int("TSCM_OIDC_SECONDS", environ, least=1, most=60),
    )


def _is_whole(needed: tuple[str, ...], environ: Mapping[str, str]) -> bool:
    """Tell whether all of these are given; False where none is. Half of them is refused."""
    given = [name for name in needed if env_str(name, environ)]
    if given and len(given) < len(needed):
        missing = next(name for name in needed if name not in given)
        raise EnvironmentRefused(missing, "", f"a value, for {given[0]} is given; or none of both")
    return bool(given)


def _url(name: str, environ: Mapping[str, str], *, schemes: set[str]) -> str:
    """Return the URL of a server; plain HTTP only to this machine, and never a password in it."""
    value = env_str(name, environ)
    url = parts_of_url(value)
    if url is not None and url.scheme in schemes:
        is_plain = not (url.query or url.fragment or "@" in url.netloc)
        is_private = url.scheme != "http" or url.hostname in LOOPBACK
        if is_plain and is_private:
            return value
    accepted = " or ".join(f"{scheme}://host" for scheme in sorted(schemes))
    raise EnvironmentRefused(name, value.rpartition("@")[2], accepted)


def _filter(name: str, environ: Mapping[str, str], *, places: set[str]) -> str:
    """Return a filter in which nothing else than `places` is to be filled in."""
    value = env_str(name, environ)
    found = set(re.findall(r"\{[^}]*\}", value))
    is_closed = value.startswith("(") and value.endswith(")")
    if found and found <= places and is_closed and value.count("(") == value.count(")"):
        return value
    raise EnvironmentRefused(
        name, value, f"an LDAP filter in brackets that holds {' or '.join(sorted(places))}"
    )


def _roles(name: str, environ: Mapping[str, str]) -> RoleMap:
    """Return which group gives which role; written `role=group; role=group`."""
    pairs: list[tuple[str, str]] = []
    for part in env_str(name, environ).split(";"):
        role, _, group = (piece.strip() for piece in part.partition("="))
        if part.strip() and (role not in ROLES or not group):
            raise EnvironmentRefused(name, part.strip(), f"role=group; roles: {', '.join(ROLES)}")
        if part.strip():
            pairs.append((role, group))
    return tuple(pairs)
