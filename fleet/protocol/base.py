"""The values that go over the wire: settings to a device, and status back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

PORT = 5353
DOMAIN = "tscm.internal"  # where neither side says otherwise
FORMAT = 1  # of the settings zone; another one is not understood

# What a setting may be: the values that `devices.kinds` store.
Value = bool | int | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Portal:
    """Where a portal's zones are served, by DNS over TLS."""

    host: str  # a name or an address
    port: int = PORT
    domain: str = DOMAIN
    ca: str = ""  # PEM of the CAs to trust; "" for those of the system
    tls_name: str = ""  # of the certificate; "" for the host

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A device's secret, from which its TSIG key and its sealing key are derived."""

    generation: int  # 1 and up; each key that takes the place of another is one higher
    secret: bytes = field(repr=False)  # 32 bytes


@dataclass(frozen=True, slots=True)
class PolicyPlace:
    """Where the lists of a policy are transferred from."""

    name: str
    block_zone: str
    allow_zone: str  # "" for none
    servers: tuple[str, ...]  # host or host:port
    port: int  # of those that name none
    tls: bool
    tls_name: str = ""
    # What the portal published last, so that one question tells of both; None before the first.
    snapshot: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a portal lays down for one device."""

    device_id: str
    nickname: str
    kind: str
    values: Mapping[str, Value]  # by the names of the kind's settings
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)  # sealed on the wire
    policy: PolicyPlace | None = None  # None: its lists are settings
    next_key: DeviceKey | None = None  # takes the place of the one that it was sealed with
    unknown: tuple[str, ...] = ()  # names that a newer portal sent and this version leaves out


@dataclass(frozen=True, slots=True)
class Status:
    """What a device says of itself."""

    reported_at: datetime
    version: str
    state: str  # a word, such as enforced, serving or failed
    serial: int  # of the settings in force
    snapshot: int | None = None
    digest: str = ""  # of the block list in force
    retrieved_at: datetime | None = None
    uploaded_at: datetime | None = None
    clock_offset: float | None = None  # seconds that the device's clock is ahead of the portal's
    errors: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()  # names of settings that are set on the device instead
