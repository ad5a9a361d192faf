"""The clouds that are known, what a machine registers as, and how registering fails.

RegistrationError
├── RegistrationUnavailable   no answer, or "come back later": trying again may help
└── RegistrationRefused       the portal said no, or the machine cannot be told from others: a
                              person must look
"""

from __future__ import annotations

from dataclasses import dataclass, field


class RegistrationError(Exception):
    """The machine is not registered; the message says why, and what to do."""


class RegistrationUnavailable(RegistrationError):
    """The portal could not be asked now; trying again may help."""


class RegistrationRefused(RegistrationError):
    """Trying again will not change the answer: a person must look."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where a machine is, and what its device entry says of that."""

    name: str  # as a command says it
    prefix: str  # of the names of its machines
    manufacturer: str = ""
    model: str = ""


NONE = Cloud("none", "linux_ip_")
CLOUDS: dict[str, Cloud] = {
    cloud.name: cloud
    for cloud in (
        Cloud("azure", "azure_ip_", "Microsoft", "Azure IP Firewall"),
        Cloud("aws", "aws_ip_", "Amazon", "AWS IP Firewall"),
        Cloud("gcp", "gcp_ip_", "Google", "GCP IP Firewall"),
        NONE,
    )
}


@dataclass(frozen=True, slots=True)
class Registration:
    """What a machine registers as."""

    nickname: str
    cloud: Cloud
    # Known to this machine alone: whoever shows it is this machine, asking again.
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Registered:
    """What a portal answers: the device entry, and how to link to it."""

    device_id: str
    device_key: str = field(repr=False)
    portal: str  # where its name server is: host, or host:port
    domain: str
    tls_name: str  # in its certificate; "" for the host
    is_new: bool  # the entry was made just now
