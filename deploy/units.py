"""The systemd units: `python -m deploy.units install | first-boot | uninstall | render FOLDER`.

One restores the lists before the network is up, one runs the appliance; `first-boot` adds one that
registers a gateway in a cloud. They are written from `deploy/systemd/` and `deploy/cloud/`; writing
them again changes nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.powers import (
    ENFORCING,
    HEARING,
    KEEPING,
    MayNotEnforce,
    Powers,
    require_enforcing,
)
from tscm_site.env import CHECKOUT, Environment, EnvironmentRefused, read_environment

UNITS = ("tscm-gateway-restore.service", "tscm.service")
FIRST_BOOT = "tscm-first-boot.service"
FOLDER = Path("/etc/systemd/system")
# Where the images of clouds have the program that does again what the first boot did.
RETRY = Path("/usr/local/bin/retry_tsadmin_add.sh")
# So says sd_booted(3) whether systemd runs the machine.
_BOOTED = Path("/run/systemd/system")
_TEMPLATES = CHECKOUT / "deploy" / "systemd"
_CLOUD = CHECKOUT / "deploy" / "cloud"
# Whatever else a path may hold means something to systemd: blanks, quotes, dollars, backslashes.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+@%:,=~-]*")
_SECONDS = 90.0


class NotInstalled(Exception):
    """The units cannot be as asked for; says what stands in the way and what to do."""


def render(environment: Environment) -> Mapping[str, str]:
    """Return the units' texts by name. Raises NotInstalled for a path that no unit can hold."""
    values = _values(environment)
    return {name: _filled(_TEMPLATES / name, values) for name in UNITS}


def render_first_boot(environment: Environment) -> Mapping[str, str]:
    """Return the text, by name, of the unit that registers a gateway. Raises NotInstalled."""
    return {FIRST_BOOT: _filled(_CLOUD / FIRST_BOOT, _values(environment))}


def _values(environment: Environment) -> Mapping[str, str]:
    return {
        "CHECKOUT": _path(CHECKOUT),
        # The virtual environment's, unresolved: beside it are its packages.
        "PYTHON": _path(Path(sys.executable)),
        "DATA": _path(environment.data_dir),
        "STATE": _path(environment.enforce_dir),
        "ENFORCING": _capabilities(ENFORCING),
        "KEEPING": _capabilities(KEEPING | ENFORCING | HEARING),
    }


def _filled(template: Path, values: Mapping[str, str]) -> str:
    text = template.read_text(encoding="utf-8")
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], text)


def _path(path: Path) -> str:
    if not _PLAIN_PATH.fullmatch(str(path)):
        raise NotInstalled(f"{path}: a unit cannot hold this path; use letters, digits and -_./")
    return str(path).replace("%", "%%")


def _capabilities(powers: Powers) -> str:
    return " ".join(f"CAP_{name.upper()}" for name in sorted(powers))


def write(texts: Mapping[str, str], folder: Path) -> None:
    """Write the units that differ from what is in `folder`, and say so of each."""
    for name, text in texts.items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            say(f"{path} is as it should be")
            continue
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        say(f"wrote {path}")


def install(environment: Environment, *, folder: Path = FOLDER) -> None:
    """Write both units and have them start with the machine. Raises NotInstalled."""
    texts = render(environment)
    environment.enforce_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(texts, folder)
    systemctl("daemon-reload")
    systemctl("enable", *UNITS)
    say("both start with the machine; to start now: systemctl start tscm")


def install_first_boot(
    environment: Environment, *, folder: Path = FOLDER, retry: Path = RETRY
) -> None:
    """Write the unit that registers a gateway, and what does that by hand. Raises NotInstalled."""
    if retry.exists() and not retry.is_symlink():
        raise NotInstalled(f"{retry} is somebody else's: move it away first")
    write(render_first_boot(environment), folder)
    retry.parent.mkdir(parents=True, exist_ok=True)
    retry.unlink(missing_ok=True)
    retry.symlink_to(_CLOUD / retry.name)
    systemctl("daemon-reload")
    systemctl("enable", FIRST_BOOT)
    say(f"it registers with the portal at the next boot; now: systemctl start {FIRST_BOOT}")


def uninstall(*, folder: Path = FOLDER, retry: Path = RETRY) -> None:
    """Stop and remove the units that are there. Raises NotInstalled."""
    if retry.is_symlink() and retry.readlink() == _CLOUD / retry.name:
        retry.unlink()
        say(f"removed {retry}")
    there = [name for name in (*UNITS, FIRST_BOOT) if (folder / name).is_file()]
    if not there:
        say(f"there are no units in {folder}")
        return
    systemctl("disable", "--now", *there)
    for name in there:
        (folder / name).unlink()
        say(f"removed {folder / name}")
    systemctl("daemon-reload")
    say("what is in force stays so until it is taken out or the machine starts again")


def systemctl(*arguments: str) -> None:
    """Have systemd do something. Raises NotInstalled with what it answers."""
    command = ["systemctl", "--quiet", *arguments]
    try:
        done = subprocess.run(command, check=False, timeout=_SECONDS, capture_output=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        answer = " ".join(done.stderr.decode(errors="replace").split())
        raise NotInstalled(f"{' '.join(command)}: {answer}")


def environment_of_units() -> Environment:
    """Return what the units will read: `.env`, and not this shell. Raises NotInstalled."""
    theirs = read_environment({})
    if read_environment() != theirs:
        given = sorted(name for name in os.environ if name.startswith("TSCM_"))
        raise NotInstalled(
            f"{', '.join(given)}: set in this shell, which the units do not see; write it to .env"
        )
    return theirs


def say(line: str) -> None:
    """Print one line for the person who asked."""
    print(f"units: {line}")


def _install_if_booted(install: Callable[[Environment], None]) -> None:
    if not _BOOTED.is_dir():
        say("systemd does not run this machine: no units; start the appliance with `make run`")
        return
    environment = environment_of_units()
    require_enforcing(environment)
    install(environment)


def _render_into(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write(render(read_environment()), folder)


def main() -> None:
    """Do what the command line says."""
    try:
        match sys.argv[1:]:
            case ["install"]:
                _install_if_booted(install)
            case ["first-boot"]:
                _install_if_booted(install_first_boot)
            case ["uninstall"]:
                uninstall()
            case ["render", folder]:
                _render_into(Path(folder))
            case _:
                sys.exit(
                    "usage: python -m deploy.units install | first-boot | uninstall | render FOLDER"
                )
    except (EnvironmentRefused, MayNotEnforce, NotInstalled, OSError) as error:
        sys.exit(f"units: {error}")


if __name__ == "__main__":
    main()
