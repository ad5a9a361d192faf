"""What each process may do to the machine, as capabilities(7): setpriv takes away all others.

Only the enforcer has power over the kernel. Started by root, the other processes still own root's
files, but a fault in a decoder or in the console reaches neither packets nor other processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from tscm_site.env import CHECKOUT, Environment

Powers = frozenset[str]
# What root needs to use a site's files, whoever owns them, and ports below 1024.
ORDINARY: Powers = frozenset({"chown", "dac_override", "fowner", "net_bind_service"})
# Root's way to a site's files, whoever owns them.
READING: Powers = frozenset({"dac_override"})
# Ports below 1024, and root's way to a site's files: it writes what comes there.
RECEIVING: Powers = frozenset({"dac_override", "net_bind_service"})
# Sets, rules and connections; legacy iptables speaks through a raw socket.
ENFORCING: Powers = frozenset({"net_admin", "net_raw"})
# What the kernel logs, while kernel.dmesg_restrict is 1.
HEARING: Powers = frozenset({"syslog"})
# The keeper of the others has what they have, and the power to take it from them.
KEEPING: Powers = ORDINARY | {"setpcap"}
# Their numbers in linux/capability.h; a power that is not here is nobody's.
_NUMBERS = {
    "chown": 0,
    "dac_override": 1,
    "fowner": 3,
    "setpcap": 8,
    "net_bind_service": 10,
    "net_admin": 12,
    "net_raw": 13,
    "syslog": 34,
}
_SETPRIV = "/usr/bin/setpriv"
_STATUS = Path("/proc/self/status")
_KERNEL_LOG = "/dev/kmsg"
_PROBE_SECONDS = 10.0


class MayNotEnforce(Exception):
    """The enforcer is wanted where it may not or cannot be; says why and what to do."""


def held() -> Powers:
    """Return the powers that a program started by this process would have."""
    lines = (line.partition(":") for line in _STATUS.read_text(encoding="ascii").splitlines())
    sets = {name: int(text, 16) for name, _, text in lines if name.startswith("Cap")}
    # A root's program has all that its bounding set leaves; another user's what is ambient.
    mask = sets["CapEff"] & sets["CapBnd"] if os.geteuid() == 0 else sets["CapAmb"]
    return frozenset(name for name, number in _NUMBERS.items() if mask >> number & 1)


def bounded(powers: Powers, command: Sequence[str], *, is_tied: bool = False) -> tuple[str, ...]:
    """Return `command` so that it runs with no more than `powers`, and never gains any.

    Tied, it hears TERM when its parent dies: else the children of a killed runner would live on.
    """
    having = held()
    kept = _listed(powers & having)
    options = ["--no-new-privs", f"--inh-caps={kept}", f"--ambient-caps={kept}"]
    if "setpcap" in having:
        options.append(f"--bounding-set={kept}")
    # Without setpcap the bounding set stays: no new privileges, so nothing is ever taken from it.
    if is_tied:
        options += ["--pdeathsig", "TERM"]
    return (_SETPRIV, *options, "--", *command)


def hindrance(environment: Environment) -> str | None:
    """Return why no enforcer may run here, in one line; None where it may."""
    if environment.enforce == "no":
        return "TSCM_ENFORCE=no"
    if "net_admin" not in held():
        return (
            "this user has no power over the kernel (CAP_NET_ADMIN); "
            "run as root, or with that capability in the ambient set"
        )
    return _closed_to_enforcer(environment)


def require_enforcing(environment: Environment) -> None:
    """Raise MayNotEnforce where no enforcer may run."""
    reason = hindrance(environment)
    if reason is not None:
        raise MayNotEnforce(f"no enforcer here: {reason}")


def deafness(environment: Environment) -> str | None:
    """Return why nobody may read the kernel log here, in one line; None where somebody may.

    It is read where an enforcer runs, so that the data folder is open to it is known.
    """
    if not _may(HEARING, "/bin/sh", "-c", f": <{_KERNEL_LOG}"):
        return (
            f"{_KERNEL_LOG} cannot be read (it takes CAP_SYSLOG, and a container needs it passed "
            "in); rsyslog may write its lines instead, see docs/logs.md"
        )
    if environment.log_dir.exists() and not _may(
        HEARING, "/usr/bin/test", "-w", str(environment.log_dir)
    ):
        return (
            f"{environment.log_dir} is closed to its reader, which opens no files of other users; "
            "give it to the user that runs this"
        )
    return None


def _may(powers: Powers, *command: str) -> bool:
    """Tell whether a command succeeds with these powers."""
    probe = bounded(powers, command)
    done = subprocess.run(probe, check=False, timeout=_PROBE_SECONDS, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def _closed_to_enforcer(environment: Environment) -> str | None:
    """Return what the enforcer could not open, None when all is open to it.

    It may be root without root's way into the files of others, such as those of a home folder.
    """
    wanted = [("-x", sys.executable), ("-r", CHECKOUT / "manage.py"), ("-w", environment.data_dir)]
    if environment.enforce_dir.exists():
        wanted.append(("-w", environment.enforce_dir))
    for test, path in wanted:
        if not _may(ENFORCING, "/usr/bin/test", test, str(path)):
            return (
                f"{path} is closed to it, for it opens no files of other users; "
                "give the checkout and the data folder to the user that runs it"
            )
    return None


def _listed(powers: Collection[str]) -> str:
    """Return a list as setpriv reads it: first all away, then these."""
    return ",".join(["-all", *(f"+{name}" for name in sorted(powers))])
