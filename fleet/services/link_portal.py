"""The portal to link to: as somebody names it, and for the rest as this site has it."""

from __future__ import annotations

from django.conf import settings as site

from fleet.protocol.base import PORT, Portal
from fleet.services.link_refused import LinkRefused
from policies.sources.base import SourceMisconfigured
from policies.sources.dns_servers import Server, is_dns_name
from policies.sources.zone_tls import Tls


def portal_named(
    *, place: str | None, domain: str | None = None, ca: str | None = None, tls_name: str = ""
) -> Portal:
    """Return the portal at `place` (host or host:port); `ca` is PEM, "" for the system's CAs.

    None stands for what this site says (TSCM_LINK_PORTAL, TSCM_LINK_DOMAIN, TSCM_LINK_CA). Raises
    LinkRefused.
    """
    host, port = _place(place)
    name = (site.TSCM_LINK_DOMAIN if domain is None else domain).strip().removesuffix(".").lower()
    if not is_dns_name(name) or len(name) > 180:
        raise LinkRefused(f"{name[:100]!r} is no domain: use one such as tscm.internal")
    if tls_name and not is_dns_name(tls_name):
        raise LinkRefused(f"{tls_name[:100]!r} is no name of a certificate")
    trusted = _ca_of_site() if ca is None else ca.strip()
    try:
        Tls.of(ca=trusted, name=tls_name)
    except SourceMisconfigured as error:
        raise LinkRefused("the CA must be certificates in PEM form") from error
    return Portal(host, port, name, trusted, tls_name)


def _place(place: str | None) -> tuple[str, int]:
    of_site = site.TSCM_LINK_PORTAL
    if not place and of_site is not None:
        return of_site.host, of_site.port
    if not place:
        raise LinkRefused(
            "no portal is named: say where it is, as host or host:port, or set TSCM_LINK_PORTAL"
        )
    try:
        server = Server.parse(place.strip(), port=PORT)
    except SourceMisconfigured as error:
        raise LinkRefused(f"{place[:100]!r} is no portal: use host or host:port") from error
    return server.host, server.port


def _ca_of_site() -> str:
    if site.TSCM_LINK_CA is None:
        return ""
    try:
        return str(site.TSCM_LINK_CA.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise LinkRefused(
            f"TSCM_LINK_CA {site.TSCM_LINK_CA} cannot be read as PEM: {error}"
        ) from error
