"""The systemd units: what systemd itself says of them, and what installing them does."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import units
from deploy.powers import ENFORCING, bounded
from deploy.units import UNITS, NotInstalled, install, render, uninstall
from enforcement.kernel.apply import enforce
from enforcement.kernel.host import Host, NoCanaries
from enforcement.kernel.state import StateFolder
from tests.enforcement.kernel.packets import NETWORK, error_of_sending
from tests.enforcement.kernel.pretended import Pretended, Store
from tests.fakes.gateway import clean
from tests.fakes.network import MORE4, MORE6, lab
from tscm_site.env import CHECKOUT, Environment, read_environment

RESTORE, APPLIANCE = UNITS
# Firewalls as distributions order them: the early kind, and the kind that waits for the bus.
_EARLY = "Before=network-pre.target\nWants=network-pre.target\n"
OTHERS = {
    "nftables.service": f"{_EARLY}DefaultDependencies=no",
    "firewalld.service": f"{_EARLY}After=basic.target",
}
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return read_environment({"TSCM_DATA_DIR": str(tmp_path / "data")}, checkout=tmp_path)


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down what it was told; systemd is no test's to change."""
    told = tmp_path / "told"
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >>"{told}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return told


def settings(text: str) -> dict[str, str]:
    """The settings of a unit; those given twice are joined."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


def verified(folder: Path, *names: str) -> str:
    """What systemd-analyze has to say; it ends with 0 even for a setting it does not know."""
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(folder / name) for name in names)],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_LOG_COLOR": "0"},
        check=False,
        timeout=60,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout + ("" if done.returncode == 0 else f"ended with {done.returncode}")


def restored(environment: Environment) -> subprocess.CompletedProcess[str]:
    """What came of the command that the unit starts, with the powers and variables it gives."""
    unit = settings(render(environment)[RESTORE])
    name, _, value = unit["Environment"].partition("=")
    return subprocess.run(
        bounded(ENFORCING, unit["ExecStart"].split()),
        cwd="/",
        env={name: value},
        check=False,
        timeout=60,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@needs_systemd
def test_systemd_has_nothing_to_say_of_the_units(environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    units.write(render(environment), folder)
    assert verified(folder, *UNITS) == ""
    (folder / APPLIANCE).write_text((folder / APPLIANCE).read_text() + "[Service]\nRestartt=no\n")
    assert "Restartt" in verified(folder, APPLIANCE)


@needs_systemd
def test_restoring_before_the_network_and_after_other_firewalls_makes_no_circle(
    environment: Environment, tmp_path: Path
) -> None:
    folder = tmp_path / "units"
    wants = folder / "sysinit.target.wants"
    wants.mkdir(parents=True)
    units.write(render(environment), folder)
    (wants / RESTORE).symlink_to(folder / RESTORE)
    for name, order in OTHERS.items():
        text = f"[Unit]\n{order}\n[Service]\nType=oneshot\nExecStart=/bin/true\n"
        (folder / name).write_text(text)
    (folder / "all.target").write_text(f"[Unit]\nWants={' '.join((*UNITS, *OTHERS))}\n")
    assert verified(folder, "all.target", *UNITS, *OTHERS) == ""
    ours = (folder / RESTORE).read_text()
    (folder / RESTORE).write_text(
        ours.replace("DefaultDependencies=no\n", "Before=sysinit.target\n")
    )
    assert "ordering cycle" in verified(folder, "all.target", *UNITS, *OTHERS)


def test_the_lists_are_restored_before_the_network_is_up(environment: Environment) -> None:
    unit = settings(render(environment)[RESTORE])
    assert "network-pre.target" in unit["Before"].split()
    assert unit["Wants"] == "network-pre.target"
    assert unit["DefaultDependencies"] == "no"
    assert set(OTHERS) <= set(unit["After"].split())
    assert unit["RequiresMountsFor"] == f"{CHECKOUT} {environment.enforce_dir}"
    assert unit["ExecStart"].endswith(f" -P -m enforcement.kernel.boot {environment.enforce_dir}")


def test_what_the_unit_starts_restores_with_its_powers_and_nothing_of_a_shell(
    environment: Environment,
) -> None:
    site = Pretended(environment.enforce_dir)
    site.enforce(site.store.target("203.0.113.0/24", label="edge #2"))
    done = restored(environment)
    assert done.stdout == "restored edge #2: 1 entries in 8 sets\n"
    assert done.returncode == 0


@pytest.mark.kernel
@pytest.mark.parametrize("enforcer", ["iptables", "nftables"])
def test_what_the_unit_starts_gives_an_empty_kernel_its_lists_back(
    environment: Environment, enforcer: str
) -> None:
    store = Store()
    target = store.target(
        NETWORK[4], MORE6[0], allow=(MORE4[1],), enforcer=enforcer, label="edge #2"
    )
    host = Host(StateFolder(environment.enforce_dir))
    with lab() as network:
        try:
            enforce(host=host, target=target, stored=store, canaries=NoCanaries(), cut=lambda *_: 0)
            clean()  # as a machine starts
            assert error_of_sending(network, MORE4[0]) == 0
            done = restored(environment)
            assert re.match(r"restored edge #2: \d entries in \d sets\n$", done.stdout), done.stdout
            assert done.returncode == 0
            for address in (MORE4[0], MORE6[0]):
                assert error_of_sending(network, address) == errno.EPERM
            for address in (MORE4[1], MORE6[1]):
                assert error_of_sending(network, address) == 0
        finally:
            clean()


def test_a_restoring_that_hangs_or_fails_never_holds_up_the_boot(environment: Environment) -> None:
    unit = settings(render(environment)[RESTORE])
    assert unit["Type"] == "oneshot"
    assert int(unit["TimeoutStartSec"].removesuffix("s")) <= 60
    assert int(unit["TimeoutStopSec"].removesuffix("s")) <= 10
    assert not {"RequiredBy", "OnFailure", "FailureAction"} & set(unit)


def test_each_unit_is_bounded_to_what_it_does(environment: Environment) -> None:
    restore, appliance = (settings(text) for text in render(environment).values())
    assert restore["CapabilityBoundingSet"] == "CAP_NET_ADMIN CAP_NET_RAW"
    assert "CAP_SYS_" not in appliance["CapabilityBoundingSet"]
    assert "CAP_SYSLOG" in appliance["CapabilityBoundingSet"]
    assert "CAP_SETPCAP" in appliance["CapabilityBoundingSet"]
    assert restore["NoNewPrivileges"] == appliance["NoNewPrivileges"] == "yes"


def test_a_stop_reaches_the_runner_only_and_takes_nothing_out_of_the_kernel(
    environment: Environment,
) -> None:
    restore, appliance = (settings(text) for text in render(environment).values())
    assert appliance["KillMode"] == "mixed"
    assert not {"ExecStop", "ExecStopPost"} & (set(restore) | set(appliance))


def test_installing_says_what_it_wrote_and_doing_it_again_writes_nothing(
    environment: Environment, tmp_path: Path, systemctl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "system"
    folder.mkdir()
    install(environment, folder=folder)
    said = capsys.readouterr().out
    assert [f"wrote {folder / name}" in said for name in UNITS] == [True, True]
    assert systemctl.read_text() == f"--quiet daemon-reload\n--quiet enable {' '.join(UNITS)}\n"
    assert environment.enforce_dir.stat().st_mode & 0o777 == 0o700
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    install(environment, folder=folder)
    assert "wrote" not in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written


def test_uninstalling_leaves_no_unit_and_says_that_the_lists_stay(
    environment: Environment, tmp_path: Path, systemctl: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "system"
    folder.mkdir()
    install(environment, folder=folder)
    systemctl.unlink()
    uninstall(folder=folder)
    assert list(folder.iterdir()) == []
    [stop, reload] = systemctl.read_text().splitlines()
    assert stop == f"--quiet disable --now {' '.join(UNITS)}"
    assert reload == "--quiet daemon-reload"
    assert "what is in force stays so" in capsys.readouterr().out
    uninstall(folder=folder)
    assert capsys.readouterr().out == f"units: there are no units in {folder}\n"


def test_an_answer_of_systemd_is_passed_on(tmp_path: Path, systemctl: Path) -> None:
    program = tmp_path / "bin" / "systemctl"
    program.write_text("#!/bin/sh\necho Access denied >&2\nexit 4\n")
    with pytest.raises(NotInstalled, match=r"systemctl --quiet daemon-reload: Access denied"):
        units.systemctl("daemon-reload")


@pytest.mark.parametrize("name", ["with blank", "dollar$HOME", 'quote"', "back\\slash"])
def test_a_path_that_means_something_to_systemd_is_refused(tmp_path: Path, name: str) -> None:
    environment = read_environment({"TSCM_DATA_DIR": str(tmp_path / name)}, checkout=tmp_path)
    with pytest.raises(NotInstalled, match="a unit cannot hold this path"):
        render(environment)


def test_a_percent_sign_in_a_path_is_no_specifier(tmp_path: Path) -> None:
    environment = read_environment({"TSCM_DATA_DIR": str(tmp_path / "a%b")}, checkout=tmp_path)
    assert f"{tmp_path}/a%%b/enforce" in render(environment)[RESTORE]


def test_what_only_the_shell_knows_is_refused_because_units_do_not_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(environ: dict[str, str] | None = None) -> Environment:
        return read_environment(environ, checkout=tmp_path)

    monkeypatch.setattr(units, "read_environment", read)
    for name in [name for name in os.environ if name.startswith("TSCM_")]:
        monkeypatch.delenv(name)
    assert units.environment_of_units() == read({})
    monkeypatch.setenv("TSCM_NODE", "elsewhere")
    with pytest.raises(NotInstalled, match=r"^TSCM_NODE: set in this shell.*write it to \.env"):
        units.environment_of_units()


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs this machine")
def test_without_systemd_it_says_so_and_that_is_no_failure(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.units", "install"],
        cwd=CHECKOUT,
        env=os.environ | {"TSCM_DATA_DIR": str(tmp_path / "data")},
        check=True,
        timeout=30,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("units: systemd does not run this machine: no units;")
