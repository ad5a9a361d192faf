"""What rsyslog of this machine is to be told, so that it writes the files of a device."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from devices.models import Device
from devices.services import own_node
from logs.receiver.rsyslog import DropInRefused, Site, drop_in
from logs.reports.places import log_dir
from logs.services.known import known_senders


def rsyslog_drop_in(*, device: Device, inputs: bool) -> str:
    """Return the drop-in of a device; with `inputs` it opens what its lines come by, too.

    Raises DropInRefused.
    """
    senders = known_senders()
    sender = next((one for one in senders if one.key == device.pk), None)
    if sender is None:
        raise DropInRefused(f"{device.nickname} is a sample: it receives nothing")
    if device.is_gateway and not sender.is_kernel:
        raise DropInRefused(
            f"{device.nickname} is the machine {device.node}: its lines are in the kernel log there"
        )
    folder = _first_there(log_dir())
    site = Site(log_dir(), own_node(), folder.st_uid, folder.st_gid)
    return drop_in(sender, senders, site, inputs=inputs)


def make_folder(*, device: Device) -> None:
    """Make the folder that rsyslog is to write into, so that it is ours.

    Raises OSError, also where one below the folder of the logs is a link: who may write there would
    choose where rsyslog writes, which mostly is root.
    """
    sender = next(one for one in known_senders() if one.key == device.pk)
    folder = sender.place(log_dir()).folder
    owner = _first_there(log_dir())
    for path in (*reversed(folder.parents), folder):
        if path.is_relative_to(log_dir()) and path != log_dir() and path.is_symlink():
            raise OSError(errno.ELOOP, "it is a link", str(path))
        if not path.exists():
            path.mkdir(mode=0o750)
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _first_there(folder: Path) -> os.stat_result:
    """Return whose a folder is, or the one above it that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder.stat()
