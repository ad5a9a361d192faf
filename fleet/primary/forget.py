"""What devices left in the status zone that is theirs no more, taken out of it."""

from __future__ import annotations

from collections.abc import Collection

from fleet.primary.errors import fault_of
from fleet.primary.exchange import update, zone_records
from fleet.primary.records import Zone
from fleet.primary.server import NameServer
from fleet.primary.statuses import below_devices
from fleet.primary.update_message import removals
from fleet.protocol.names import status_zone
from policies.sources.base import Deadline, SourceError
from policies.sources.zone_errors import ZoneTooLarge
from policies.sources.zone_transfer import Conversation

MOST_OWNERS = 100_000  # names that one call takes out
SECONDS = 60.0


def forget_statuses(
    server: NameServer,
    device_ids: Collection[str],
    *,
    domain: str,
    most: int = MOST_OWNERS,
    seconds: float = SECONDS,
) -> int:
    """Take out all that these devices wrote, under whatever names, up to `most` of these.

    Returns how many names it took out. Raises a `PrimaryError`.
    """
    name = status_zone(domain)
    try:
        with server.stream(Deadline.after(seconds)) as stream:
            talk = server.talk(stream, name)
            owners = _owners(talk, device_ids, most=most)
            for message in removals(Zone(name, domain=domain), owners):
                update(talk, message)
    except SourceError as error:
        raise fault_of(error, deed="what is no device's any more could not be taken out") from error
    return len(owners)


def _owners(talk: Conversation, device_ids: Collection[str], *, most: int) -> list[bytes]:
    """Return the names that these devices wrote to, as far as the zone is read."""
    found: dict[bytes, None] = {}
    try:
        for device, record in below_devices(zone_records(talk)):
            if device in device_ids:
                found[record.owner] = None
            if len(found) == most:
                break
        else:
            return list(found)
    except ZoneTooLarge:
        pass
    talk.stream.close()  # what it still holds is not wanted
    return list(found)
