"""A gateway's first boot in a cloud: its user-data, its unit, and what they start."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy import units
from deploy.units import FIRST_BOOT, RETRY, UNITS, NotInstalled
from tests.runtime.test_units import needs_systemd, settings, verified
from tscm_site.env import CHECKOUT, SECRETS, VARIABLES, Environment, read_environment

CLOUD = CHECKOUT / "deploy" / "cloud"
USER_DATA = CLOUD / "cloud-init.yaml"
RETRY_SCRIPT = CLOUD / RETRY.name
ENV = "# of the portal\nTSCM_REGISTER_URL=https://portal.example.net\n"


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return read_environment({"TSCM_DATA_DIR": str(tmp_path / "data")}, checkout=tmp_path)


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that writes down what it was told."""
    return _program(tmp_path, monkeypatch, "systemctl")


def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> Path:
    told = tmp_path / f"{name}-told"
    program = tmp_path / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$*" >>"{told}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return told


# --- user-data -----------------------------------------------------------------------------------


def test_the_user_data_is_what_cloud_init_reads() -> None:
    text = USER_DATA.read_text(encoding="utf-8")
    assert text.startswith("#cloud-config\n")
    assert len(text.encode()) < 16_384  # what the tightest cloud takes
    told = yaml.safe_load(text)
    assert set(told) == {"package_update", "packages", "write_files", "runcmd"}


@pytest.mark.skipif(shutil.which("cloud-init") is None, reason="cloud-init is not installed")
def test_cloud_init_has_nothing_to_say_of_the_user_data() -> None:
    subprocess.run(["cloud-init", "schema", "--config-file", USER_DATA], check=True, timeout=60)


def test_what_the_user_data_writes_is_for_root_alone_and_names_known_variables() -> None:
    files = {file["path"]: file for file in yaml.safe_load(USER_DATA.read_text())["write_files"]}
    assert {file["permissions"] for file in files.values()} == {"0600"}
    assert {file["owner"] for file in files.values()} == {"root:root"}
    lines = files["/etc/tscm/cloud.env"]["content"].splitlines()
    named = {line.lstrip("#").partition("=")[0] for line in lines if "=" in line}
    known = {one.name for one in VARIABLES} | {f"{name}_FILE" for name in SECRETS}
    assert named <= known
    assert "TSCM_REGISTER_KEY_FILE=/etc/tscm/api-key" in lines
    assert "tscm_" in files["/etc/tscm/api-key"]["content"]


def test_what_the_user_data_runs_is_there() -> None:
    commands = yaml.safe_load(USER_DATA.read_text())["runcmd"]
    assert ["make", "-C", "/opt/tscm", "cloud"] in commands
    assert commands[-1] == ["systemctl", "start", UNITS[1], FIRST_BOOT]
    assert "\ncloud: gateway" in (CHECKOUT / "Makefile").read_text()


# --- the unit ------------------------------------------------------------------------------------


@needs_systemd
def test_systemd_has_nothing_to_say_of_the_unit(environment: Environment, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    wants = folder / "multi-user.target.wants"
    wants.mkdir(parents=True)
    units.write({**units.render(environment), **units.render_first_boot(environment)}, folder)
    for name in (FIRST_BOOT, UNITS[1]):
        (wants / name).symlink_to(folder / name)
    assert verified(folder, "multi-user.target", *UNITS, FIRST_BOOT) == ""


def test_the_unit_tries_until_it_has_succeeded_once(environment: Environment) -> None:
    unit = settings(units.render_first_boot(environment)[FIRST_BOOT])
    assert unit["ExecStart"] == f"{CLOUD}/first-boot"
    assert os.access(CLOUD / "first-boot", os.X_OK)
    assert unit["ConditionPathExists"] == f"!/var/lib/{unit['StateDirectory']}/linked"
    assert unit["Restart"] == "on-failure"
    assert unit["StartLimitIntervalSec"] == "0"
    assert {"network-online.target", "tscm.service"} <= set(unit["After"].split())


def test_installing_leaves_a_unit_and_a_program_to_do_it_again(
    environment: Environment, tmp_path: Path, systemctl: Path
) -> None:
    folder, retry = tmp_path / "system", tmp_path / "local" / "bin" / RETRY.name
    folder.mkdir()
    for _ in range(2):
        units.install_first_boot(environment, folder=folder, retry=retry)
        assert retry.resolve() == RETRY_SCRIPT
        assert (folder / FIRST_BOOT).is_file()
    assert systemctl.read_text().splitlines()[-1] == f"--quiet enable {FIRST_BOOT}"
    units.uninstall(folder=folder, retry=retry)
    assert not list(folder.iterdir())
    assert not retry.is_symlink()


def test_a_program_of_somebody_else_is_not_replaced(
    environment: Environment, tmp_path: Path, systemctl: Path
) -> None:
    retry = tmp_path / RETRY.name
    retry.write_text("#!/bin/sh\n")
    with pytest.raises(NotInstalled, match="somebody else's"):
        units.install_first_boot(environment, folder=tmp_path, retry=retry)
    assert not systemctl.exists()


# --- what it starts ------------------------------------------------------------------------------


class Image:
    """A gateway's checkout and folders, with a `tsadmin` that writes down what it was told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cloud = root / "opt" / "deploy" / "cloud"
        self.told = root / "told"
        self.state = root / "state"
        self.sysctl = root / "etc" / "sysctl.d" / "90-tscm-forwarding.conf"
        shutil.copytree(CLOUD, self.cloud)
        (root / "etc" / "tscm").mkdir(parents=True)
        (root / "etc" / "tscm" / "cloud.env").write_text(ENV)
        self.answer("exit 0")

    def answer(self, register: str) -> None:
        """Have `tsadmin register` do this."""
        tsadmin = self.cloud.parent / "tsadmin"
        tsadmin.write_text(
            f'#!/bin/sh\n[ "$1" = register ] || exit 0\n'
            f'echo "$* by $TSCM_REGISTER_URL" >>"{self.told}"\n{register}\n'
        )
        tsadmin.chmod(0o755)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the programs of `deploy/cloud`."""
        with self.start(program, *arguments) as running:
            out, error = running.communicate(timeout=60)
        return subprocess.CompletedProcess(program, running.returncode, out, error)

    def start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """Start one of the programs of `deploy/cloud`."""
        folders = {"TSCM_ETC": str(self.root / "etc"), "STATE_DIRECTORY": str(self.state)}
        return subprocess.Popen(
            [self.cloud / program, *arguments],
            env=os.environ | folders,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(tmp_path)


@pytest.fixture
def sysctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sysctl that writes down what it was told: a kernel is no test's to change."""
    return _program(tmp_path, monkeypatch, "sysctl")


def test_the_first_boot_forwards_packets_registers_and_is_done(image: Image, sysctl: Path) -> None:
    done = image.run("first-boot")
    assert done.returncode == 0, done.stderr
    assert image.told.read_text() == "register by https://portal.example.net\n"
    assert (image.state / "linked").exists()
    assert sysctl.read_text() == f"--quiet --load={image.sysctl}\n"
    lines = image.sysctl.read_text().splitlines()
    assert {"net.ipv4.ip_forward = 1", "net.ipv6.conf.all.forwarding = 1"} <= set(lines)


def test_a_first_boot_that_failed_is_not_done_and_says_so(image: Image, sysctl: Path) -> None:
    image.answer("exit 1")
    assert image.run("first-boot").returncode == 1
    assert not (image.state / "linked").exists()
    image.answer("exit 0")
    assert image.run("first-boot").returncode == 0
    assert (image.state / "linked").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="it is root's to run")
def test_it_may_be_done_again_at_any_time_from_where_it_is_linked_to(
    image: Image, tmp_path: Path, sysctl: Path
) -> None:
    link = tmp_path / "bin" / RETRY.name
    link.symlink_to(image.cloud / RETRY.name)
    image.run("first-boot")
    for _ in range(2):
        done = image.run(str(link), "--cloud", "azure")
        assert done.returncode == 0, done.stderr
    assert (
        image.told.read_text().splitlines()[1:]
        == ["register --cloud azure by https://portal.example.net"] * 2
    )


def test_one_waits_until_the_other_is_done(image: Image, sysctl: Path) -> None:
    lock = image.state / "lock"
    assert image.run("first-boot").returncode == 0
    image.told.unlink()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with image.start("first-boot") as waiting:
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "first-boot: waiting for another one\n"
            assert not image.told.exists()
            fcntl.flock(held, fcntl.LOCK_UN)
            waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert image.told.exists()


def test_nobody_stops_it_by_what_everybody_may_read(image: Image, sysctl: Path) -> None:
    with (image.cloud / "first-boot").open() as script:
        fcntl.flock(script, fcntl.LOCK_EX)
        assert image.run("first-boot").returncode == 0


@pytest.mark.kernel
def test_packets_are_forwarded_afterwards_in_both_families(image: Image) -> None:
    done = image.run("first-boot")
    assert done.returncode == 0, done.stderr
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        assert Path("/proc/sys/net", name).read_text() == "1\n"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_a_shell_has_nothing_to_say_of_the_programs() -> None:
    programs = [CLOUD / "first-boot", RETRY_SCRIPT]
    subprocess.run(["shellcheck", *programs], check=True, timeout=60)
