"""What the environment says of logs: where lines come in, how they are kept, where they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tscm_site.env_values import (
    Bind,
    EnvironmentRefused,
    env_bind,
    env_bind_or_none,
    env_int,
    env_path_or_none,
    env_seconds,
    env_str,
    parts_of_url,
)

_LOOPBACK = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Everything the environment decides of logs."""

    bind: Bind  # UDP and TCP
    extra_bind: Bind | None  # TCP; None: nobody listens
    tls_bind: Bind
    tls_certificate: Path | None  # None: nobody listens for TLS
    tls_key: Path | None
    tls_client_ca: Path | None  # None: senders need no certificate
    sync_seconds: float
    memory_bytes: int
    free_bytes: int
    keep_days: int  # what is uploaded
    events_keep_days: int
    events_bytes: int
    geo_country: Path | None  # None: reports know no countries
    geo_network: Path | None
    upload_url: str
    upload_ca: Path | None  # beside the machine's own


def read_log_settings(environ: Mapping[str, str], *, checkout: Path) -> LogSettings:
    """Read and check the variables of logs. Raises EnvironmentRefused."""

    def path(name: str) -> Path | None:
        return env_path_or_none(name, environ, relative_to=checkout)

    certificate, key = path("TSCM_SYSLOG_TLS_CERTIFICATE"), path("TSCM_SYSLOG_TLS_KEY")
    client_ca = path("TSCM_SYSLOG_TLS_CLIENT_CA")
    if key is None and certificate is not None:
        key = certificate  # one file may hold both
    if certificate is None:
        for name in ("TSCM_SYSLOG_TLS_KEY", "TSCM_SYSLOG_TLS_CLIENT_CA"):
            if value := env_str(name, environ):
                raise EnvironmentRefused(
                    name, value, "it together with a TSCM_SYSLOG_TLS_CERTIFICATE"
                )
    return LogSettings(
        bind=env_bind("TSCM_SYSLOG_BIND", environ),
        extra_bind=env_bind_or_none("TSCM_SYSLOG_EXTRA_BIND", environ),
        tls_bind=env_bind("TSCM_SYSLOG_TLS_BIND", environ),
        tls_certificate=certificate,
        tls_key=key,
        tls_client_ca=client_ca,
        sync_seconds=env_seconds("TSCM_SYSLOG_SYNC_SECONDS", environ, least=0.1, most=60),
        memory_bytes=env_int("TSCM_SYSLOG_MEMORY_MB", environ, least=16, most=65536) << 20,
        free_bytes=env_int("TSCM_LOG_FREE_MB", environ, least=0, most=100_000_000) * 1_000_000,
        keep_days=env_int("TSCM_LOG_KEEP_DAYS", environ, least=1, most=3650),
        events_keep_days=env_int("TSCM_EVENTS_KEEP_DAYS", environ, least=1, most=3650),
        events_bytes=env_int("TSCM_EVENTS_MB", environ, least=10, most=100_000_000) * 1_000_000,
        geo_country=path("TSCM_GEO_COUNTRY"),
        geo_network=path("TSCM_GEO_NETWORK"),
        upload_url=_upload_url(environ),
        upload_ca=path("TSCM_LOG_CA"),
    )


def _upload_url(environ: Mapping[str, str]) -> str:
    """Return where batches are posted to: by TLS, but to this machine, and without a password."""
    name = "TSCM_LOG_UPLOAD_URL"
    value = env_str(name, environ)
    url = parts_of_url(value)
    if url is not None and "@" not in url.netloc and not url.fragment:
        is_private = url.scheme == "http" and url.hostname in _LOOPBACK
        if url.scheme == "https" or is_private:
            return value
    raise EnvironmentRefused(name, value.rpartition("@")[2], "https://host/path, no user in it")
