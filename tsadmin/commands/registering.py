"""register: a machine's own device entry at a portal, its link, and what it enforces."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from devices.models import Device
from devices.services import own_node
from fleet.cloud import metadata, registrar
from fleet.cloud.base import Registered, Registration
from fleet.cloud.identity import identify
from fleet.cloud.machine import read_machine
from fleet.models import Link
from fleet.protocol.errors import CONNECT, NotActive, UnknownKey
from fleet.services.link import Here, Linked, link_device
from fleet.services.link_poll import poll_link
from fleet.services.link_portal import portal_named
from policies.sources.base import Deadline
from policies.sources.http_settings import Tls
from policies.sources.http_url import BadUrl, Url
from tsadmin.commands import gateways, updating
from tsadmin.errors import Misused, Refused
from tsadmin.screen import print_json, print_line, progress
from tsadmin.site import actor

# The portal publishes a new entry within half a minute; one that has much to write takes longer.
ACTIVE_SECONDS = 180.0
_LINK_SECONDS = 20.0  # for one question to its name server
_PAUSE_SECONDS = 3.0
_LONGEST_FILE = 1 << 20
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; what it does not say, the environment does."""

    url: str
    api_key_file: Path | None
    cloud: str
    ca: Path | None


def register(asked: Asked, *, as_json: bool) -> None:
    """Register and link this machine where it is not, then enforce and check; raises Refused."""
    portal = _portal(asked.url)
    registration = identify(
        Path(settings.DATA_DIR) / "secrets" / "registration",
        cloud=asked.cloud,
        machine=read_machine(),
        origin=metadata.ORIGIN,
        deadline=Deadline.after(metadata.SECONDS),
    )
    with progress(quiet=as_json) as say:
        link = _tried(_link_of(registration), say=say)
        was_linked = link is not None and not link.error
        if link is None or not was_linked:
            link = _linked(asked, registration, portal=portal, held=link, say=say).link
    if as_json:
        _finish_json(link, was_linked=was_linked)
    else:
        _finish(link, was_linked=was_linked)


def _tried(link: Link | None, *, say: Say) -> Link | None:
    """Ask the portal of a link, so that it tells how it is now; raises Refused where none answers.

    One that the portal refuses is returned with its error.
    """
    if link is None:
        return None
    say(f"ask {link.portal}")
    poll_link(link_id=link.pk, now=timezone.now(), seconds=_LINK_SECONDS)
    found = Link.objects.select_related("device__policy").get(pk=link.pk)
    if found.error.startswith(CONNECT):
        raise Refused(found.error)
    return found


def _linked(
    asked: Asked, registration: Registration, *, portal: Url, held: Link | None, say: Say
) -> Linked:
    """Ask for this machine's entry, and link to it; `held` is a link that is refused."""
    key, ca = _api_key(asked.api_key_file), _ca(asked.ca)
    say(f"register {registration.nickname} with {portal.origin}")
    registered = registrar.register(
        registration,
        portal=portal,
        key=key,
        tls=Tls(ca=ca),
        deadline=Deadline.after(registrar.SECONDS),
    )
    _refuse_other(registration, registered, held)
    say(f"link {registration.nickname} to {registered.portal}")
    patience = Deadline.after(ACTIVE_SECONDS)
    while True:
        try:
            return link_device(
                portal=portal_named(
                    place=registered.portal,
                    domain=registered.domain,
                    ca=ca,
                    tls_name=registered.tls_name,
                ),
                device_id=registered.device_id,
                key_text=registered.device_key,
                here=Here(registration.nickname),
                actor=actor(),
                now=timezone.now(),
                seconds=_LINK_SECONDS,
            )
        except (UnknownKey, NotActive):  # it has not published the entry yet
            if not patience.remaining():
                raise
        say(f"wait until {registered.portal} has published {registration.nickname}")
        time.sleep(_PAUSE_SECONDS)


def _refuse_other(registration: Registration, registered: Registered, held: Link | None) -> None:
    """Refuse an entry that was made anew at the portal: what is here is another device."""
    if held is not None and held.device.device_id != registered.device_id:
        name = registration.nickname
        raise Refused(
            f"the portal has another entry for this machine now, {registered.device_id}, and "
            f"{name} is {held.device.device_id} here: remove that with 'tsadmin remove {name}', "
            f"then register again"
        )


def _finish(link: Link, *, was_linked: bool) -> None:
    """Have what the portal says enforced, and see that it is; raises Refused."""
    device = link.device
    already = "already " if was_linked else ""
    print_line(
        f"{device} ({device.device_id}) is {already}linked to {link.portal}.", tone="success"
    )
    updating.update_device(nickname=device.nickname, accept_change=False, as_json=False)
    if _enforces(device):
        gateways.check(nickname=device.nickname, address="", as_json=False)


def _finish_json(link: Link, *, was_linked: bool) -> None:
    """Do the same, and print it as one object; raises Refused."""
    device = link.device
    update, trouble = updating.updated_json(device)
    check = None
    if _enforces(device) and not trouble:
        check, trouble = gateways.checked_json(device)
    print_json(
        {
            "name": device.nickname,
            "device_id": device.device_id,
            "portal": link.portal,
            "was_linked": was_linked,
            "update": update,
            "check": check,
        }
    )
    if trouble:
        raise Refused(trouble)


def _enforces(device: Device) -> bool:
    """Tell whether this machine enforces a device, and by itself."""
    return device.node == own_node() and device.policy_updates


def _link_of(registration: Registration) -> Link | None:
    links = Link.objects.select_related("device__policy")
    return links.filter(device__nickname=registration.nickname).first()


def _portal(given: str) -> Url:
    text = given or settings.TSCM_REGISTER_URL
    if not text:
        raise Misused("say which portal: --url https://portal.example.net, or TSCM_REGISTER_URL")
    try:
        return registrar.read_portal(text)
    except BadUrl as error:
        raise Misused(f"the portal's URL {error}") from error


def _api_key(path: Path | None) -> str:
    if path is not None:
        return registrar.read_key(_content("--api-key-file", path))
    if not settings.TSCM_REGISTER_KEY:
        raise Misused(
            "there is no API key: name its file with --api-key-file, or set TSCM_REGISTER_KEY"
        )
    return registrar.read_key(settings.TSCM_REGISTER_KEY.encode())


def _ca(path: Path | None) -> str:
    """Return the CAs to trust as PEM, "" for those of the system; raises Refused."""
    chosen = path or settings.TSCM_LINK_CA
    if chosen is None:
        return ""
    return _content("--ca" if path else "TSCM_LINK_CA", chosen).decode("utf-8", errors="replace")


def _content(flag: str, path: Path) -> bytes:
    try:
        with path.expanduser().open("rb") as file:
            return file.read(_LONGEST_FILE)
    except OSError as error:
        raise Refused(f"{flag} {path} cannot be read: {error.strerror}") from error
