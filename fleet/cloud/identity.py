"""Which machine this is: found once, then kept, so that no later answer gives it another name."""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path

from devices.kinds.rules import NICKNAME
from fleet.cloud import metadata
from fleet.cloud.base import CLOUDS, NONE, Cloud, Registration, RegistrationRefused
from fleet.cloud.machine import Machine, name_of
from policies.sources.base import Deadline

AUTO = "auto"
_LONGEST = 4096
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


def identify(
    path: Path, *, cloud: str, machine: Machine, origin: str = metadata.ORIGIN, deadline: Deadline
) -> Registration:
    """Return what this machine registers as: what `path` holds, else what is found and kept there.

    `cloud` is one of `CLOUDS`, or `AUTO`. Raises RegistrationRefused where nothing tells this
    machine from others, where `path` cannot be read or written, or says another cloud.
    """
    if not path.exists():
        _keep(path, _found(cloud, machine, origin=origin, deadline=deadline))
    kept = _read(path)
    if cloud not in (AUTO, kept.cloud.name):
        raise RegistrationRefused(
            f"this machine registers as {kept.nickname}, in the cloud {kept.cloud.name}, not "
            f"{cloud}: leave --cloud out. To register it as another one, remove {path} first"
        )
    return kept


def _found(wanted: str, machine: Machine, *, origin: str, deadline: Deadline) -> Registration:
    cloud, instance = _located(wanted, machine, origin=origin, deadline=deadline)
    # Boards of plain machines share UUIDs by mistake; in a cloud an image may hold a machine-id.
    own = (machine.machine_id, machine.product_uuid)
    identity = instance or next(filter(None, own if cloud is NONE else reversed(own)), "")
    if not identity:
        raise RegistrationRefused(
            "nothing tells this machine from others: the metadata service of a cloud does not "
            "answer, and neither /etc/machine-id nor the firmware's product_uuid can be read. Run "
            "this as root, and 'systemd-machine-id-setup' where /etc/machine-id is empty"
        )
    return Registration(name_of(cloud, identity), cloud, secrets.token_urlsafe(32))


def _located(
    wanted: str, machine: Machine, *, origin: str, deadline: Deadline
) -> tuple[Cloud, str]:
    """Return the cloud, and how it calls this instance, "" where it does not say."""
    cloud = CLOUDS[wanted] if wanted != AUTO else machine.cloud
    if cloud is not None:
        return cloud, metadata.instance_of(cloud, origin=origin, deadline=deadline)
    return metadata.find_instance(origin=origin, deadline=deadline) or (NONE, "")


def _keep(path: Path, found: Registration) -> None:
    """Write it for the owner alone, whole or not at all; of several writers the first wins."""
    text = json.dumps(
        {"nickname": found.nickname, "cloud": found.cloud.name, "secret": found.secret}
    )
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RegistrationRefused(f"{path} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError:
        return
    except OSError as error:
        raise RegistrationRefused(f"{path} cannot be written: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)


def _read(path: Path) -> Registration:
    try:
        with path.open(encoding="utf-8") as file:
            said = json.loads(file.read(_LONGEST))
        nickname, cloud, secret = said["nickname"], CLOUDS[said["cloud"]], said["secret"]
        if NICKNAME.fullmatch(nickname) and _SECRET.fullmatch(secret):
            return Registration(nickname, cloud, secret)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RegistrationRefused(f"{path} cannot be read ({error!r:.200}); {_ADVICE}") from error
    raise RegistrationRefused(f"{path} does not say what this machine registers as; {_ADVICE}")


_ADVICE = (
    "restore it from a backup, or remove it together with the device entry at the portal to "
    "register anew"
)
