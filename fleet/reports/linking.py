"""What an administrator types on a device so that it links."""

from __future__ import annotations

from dataclasses import dataclass, field

from fleet.models import Entry
from fleet.protocol.base import DOMAIN
from fleet.reports.place import PortalPlace


@dataclass(frozen=True, slots=True)
class Linking:
    """A device's way to its portal; whoever has it links as that device."""

    device_id: str
    key_text: str = field(repr=False)
    portal: str  # host or host:port
    domain: str
    tls_name: str  # of its certificate; "" for the host

    @property
    def command(self) -> str:
        """The one command that links a device and configures it."""
        domain = "" if self.domain == DOMAIN else f" --domain={self.domain}"
        name = f" --portal-name={self.tls_name}" if self.tls_name else ""
        return (
            f"tsadmin add --type auto --device_id={self.device_id} --auto_key={self.key_text} "
            f"--portal={self.portal}{domain}{name}"
        )


def linking_of(entry: Entry, key_text: str, place: PortalPlace) -> Linking:
    """Return how the device of `entry` links with the key whose text this is."""
    return Linking(entry.device_id, key_text, str(place), place.domain, place.tls_name)
