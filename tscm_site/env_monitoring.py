"""What the environment says of who may watch this appliance, and of how logs are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tscm_site.env_values import (
    EnvironmentRefused,
    Network,
    env_choice,
    env_list,
    env_str,
    network,
)

LogFormat = Literal["line", "json"]
_FORMATS: tuple[LogFormat, ...] = ("line", "json")
_SHORTEST_TOKEN = 16
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, section 2.1


@dataclass(frozen=True, slots=True)
class MonitoringSettings:
    """Everything the environment decides of being watched."""

    metrics_token: str = field(repr=False)  # "": no token opens the metrics
    metrics_from: tuple[Network, ...]
    log_format: LogFormat


def read_monitoring_settings(environ: Mapping[str, str]) -> MonitoringSettings:
    """Read and check the variables of monitoring. Raises EnvironmentRefused."""
    return MonitoringSettings(
        metrics_token=_token(environ),
        metrics_from=_networks(environ),
        log_format=env_choice("TSCM_LOG_FORMAT", environ, known=_FORMATS),
    )


def _token(environ: Mapping[str, str]) -> str:
    name = "TSCM_METRICS_TOKEN"
    token = env_str(name, environ)
    if not token or (len(token) >= _SHORTEST_TOKEN and _TOKEN.fullmatch(token)):
        return token
    raise EnvironmentRefused(
        name, "…", f"at least {_SHORTEST_TOKEN} letters, digits and signs of ._~+/=-"
    )


def _networks(environ: Mapping[str, str]) -> tuple[Network, ...]:
    """Return the networks given; the word `none` stands for no address at all."""
    name = "TSCM_METRICS_FROM"
    given = env_list(name, environ)
    if given == ("none",):
        return ()
    return tuple(network(name, text, accepted="addresses and networks, or none") for text in given)
