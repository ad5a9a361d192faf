"""Who may look into this appliance without signing in: monitoring, by its address or its token."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.http.request import split_domain_port, validate_host

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Whoever passes a request on says so in one of these.
_PASSED_ON = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
_LONGEST_HEADER = 1000


def is_watcher(meta: Mapping[str, object], *, client: str) -> bool:
    """Tell whether a request is one of monitoring.

    `client` is the address it came from, "" where nobody can say. An address counts only where the
    request names this machine by an address or a name of the site: else a page that somebody opens
    in a browser beside the monitoring could read on, by a name of its own that leads here.
    """
    if _has_token(str(meta.get("HTTP_AUTHORIZATION", ""))[:_LONGEST_HEADER]):
        return True
    is_ours = _names_us(str(meta.get("HTTP_HOST", ""))[:_LONGEST_HEADER])
    return is_ours and is_in(client, settings.TSCM_METRICS_FROM)


def is_passed_on(meta: Mapping[str, object]) -> bool:
    """Tell whether somebody in between says that a request is another's."""
    return any(name in meta for name in _PASSED_ON)


def is_in(address: str, networks: Iterable[Network]) -> bool:
    """Tell whether an address is in one of these; False for what is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in networks)


def _has_token(authorization: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    token = settings.TSCM_METRICS_TOKEN
    if not token or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(), token.encode())


def _names_us(host: str) -> bool:
    if not host:  # no browser leaves it out
        return True
    domain, _ = split_domain_port(host)
    try:
        ipaddress.ip_address(domain.strip("[]"))
    except ValueError:
        return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
    return True
