"""What a site says of the directory and the provider that people sign in with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

RoleMap = tuple[tuple[str, str], ...]  # (role, group)


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """An LDAP directory that people sign in with; always by TLS."""

    url: str
    starts_tls: bool  # else TLS comes first
    ca: Path | None  # beside the machine's own
    bind_dn: str  # empty: anonymous
    bind_password: str = field(repr=False)
    users: str
    user_filter: str
    groups: str
    group_filter: str
    roles: RoleMap
    seconds: int


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """An OpenID Connect provider that people sign in with."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    ca: Path | None  # beside the machine's own
    scopes: str
    name_claim: str
    roles_claim: str
    roles: RoleMap
    seconds: int
