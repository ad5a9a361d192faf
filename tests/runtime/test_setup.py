"""The set-up script with a PATH of our making: what it finds, says and asks to be installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tscm_site.env import CHECKOUT

# What every Debian has, less what the set-up looks for.
TOOLS = ("bash", "sh", "cat", "dirname", "flock", "grep", "ln", "paste", "pwd", "readlink")
TOOLS_TOO = ("rm", "sha256sum", "timeout", "mkdir", "env")
# `python3 -m venv --clear .venv` makes a folder whose python is the same script again.
MAKE_VENV = 'case "$*" in *"venv --clear"*) mkdir -p .venv/bin; ln -s "$0" .venv/bin/python ;;'


class Machine:
    """A checkout and a PATH: commands put there only write down that they were called."""

    def __init__(self, folder: Path, *, user: int) -> None:
        self.checkout = folder / "checkout"
        self.bin = folder / "bin"
        self.calls = folder / "calls"
        self.bin.mkdir()
        self.calls.touch()
        (self.checkout / "deploy").mkdir(parents=True)
        for name in ("deploy/setup.sh", "deploy/tsadmin", *(path.name for path in requirements())):
            shutil.copy(CHECKOUT / name, self.checkout / name)
        for tool in (*TOOLS, *TOOLS_TOO):
            found = shutil.which(tool)
            assert found, tool
            (self.bin / tool).symlink_to(found)
        self.add("id", f"echo {user}")
        self.add(
            "python3",
            f'{MAKE_VENV} esac\n[ "$1" != --version ] || echo Python 3.12.3',
        )

    def add(self, name: str, script: str = "") -> None:
        """Put a command on PATH that writes down its call and runs `script`."""
        path = self.bin / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.calls}"\n{script}\n')
        path.chmod(0o755)

    def set_up(self, purpose: str = "run", **environ: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        return subprocess.run(
            [self.checkout / "deploy" / "setup.sh", purpose],
            env={"PATH": str(self.bin), "HOME": str(self.checkout)} | environ,
            text=True,
            check=False,
            timeout=50,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def called(self, words: str) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if words in line]


def requirements() -> list[Path]:
    return sorted(CHECKOUT.glob("requirements*.txt"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine of a user who is not root, with python3 and no redis-server."""
    return Machine(tmp_path, user=1000)


def test_without_root_it_names_what_is_missing_and_takes_redis_from_a_wheel(
    machine: Machine,
) -> None:
    machine.add("apt-get")
    done = machine.set_up()
    assert done.returncode == 0, done.stdout
    assert "missing: redis-server (the queue between console and worker)" in done.stdout
    assert "apt-get install redis-server   (as root)" in done.stdout
    assert machine.called("apt-get") == []
    assert len(machine.called("requirements-redis.txt")) == 1


def test_with_redis_there_it_only_installs_python_packages_by_hash(machine: Machine) -> None:
    machine.add("redis-server")
    done = machine.set_up()
    assert done.returncode == 0, done.stdout
    assert "missing" not in done.stdout
    [install] = machine.called(" install ")
    assert "--require-hashes --requirement requirements.txt" in install
    assert (machine.checkout / ".venv/bin/tsadmin").resolve() == machine.checkout / "deploy/tsadmin"


def test_a_broker_elsewhere_needs_no_redis_here(machine: Machine) -> None:
    done = machine.set_up(TSCM_BROKER_URL="redis://192.0.2.1/0")
    assert done.returncode == 0, done.stdout
    assert "redis" not in done.stdout


def test_doing_it_again_does_nothing(machine: Machine) -> None:
    machine.add("redis-server")
    assert machine.set_up().returncode == 0
    again = machine.set_up()
    assert again.returncode == 0
    assert again.stdout == ""
    assert machine.called("install") == []


def test_changed_requirements_are_installed_again(machine: Machine) -> None:
    machine.add("redis-server")
    assert machine.set_up().returncode == 0
    with (machine.checkout / "requirements.txt").open("a") as file:
        file.write("# changed\n")
    machine.set_up()
    assert len(machine.called(" install ")) == 1


def test_tests_and_benchmarks_name_each_missing_program_with_its_use(machine: Machine) -> None:
    machine.add("redis-server")
    for purpose, package in (("test", "chromium"), ("test", "curl"), ("bench", "wrk")):
        done = machine.set_up(purpose)
        assert f"missing: {package} (" in done.stdout


@pytest.fixture
def enforcing(machine: Machine) -> Machine:
    """A machine with the file of what compiles, and a redis-server."""
    machine.add("redis-server")
    (machine.checkout / "requirements-gateway.txt").write_text("python-iptables\n")
    return machine


@pytest.mark.parametrize("asked", ["gateway", "TSCM_ENFORCE=yes", ".env"])
def test_where_enforcing_is_asked_for_the_second_reader_is_compiled_by_hash(
    enforcing: Machine, asked: str
) -> None:
    environ = {"TSCM_ENFORCE": "yes"} if asked == "TSCM_ENFORCE=yes" else {}
    if asked == ".env":
        (enforcing.checkout / ".env").write_text('export TSCM_ENFORCE="yes"\n')
    purpose = "gateway" if asked == "gateway" else "run"
    done = enforcing.set_up(purpose, **environ)
    assert done.returncode == 0, done.stdout
    assert "missing: gcc (compiles python-iptables" in done.stdout
    [install] = enforcing.called("requirements-gateway.txt")
    assert "--require-hashes" in install
    assert enforcing.called("requirements-dev.txt") == []
    again = enforcing.set_up(purpose, **environ)
    assert enforcing.called(" install ") == []
    assert again.returncode == 0


@pytest.mark.parametrize("enforce", ["", "auto", "no"])
def test_a_console_gets_no_firewall_tools_even_from_root(tmp_path: Path, enforce: str) -> None:
    console = Machine(tmp_path, user=0)
    console.add("redis-server")
    console.add("apt-get")
    (console.checkout / "requirements-gateway.txt").write_text("python-iptables\n")
    (console.checkout / ".env").write_text(f"TSCM_ENFORCE={enforce}\n#TSCM_ENFORCE=yes\n")
    done = console.set_up()
    assert done.returncode == 0, done.stdout
    assert console.called("apt-get") == []
    assert console.called("requirements-gateway.txt") == []


def test_a_second_reader_that_does_not_compile_is_said_in_one_line_and_no_failure(
    enforcing: Machine,
) -> None:
    enforcing.add("gcc")
    enforcing.add(
        "python3",
        f'{MAKE_VENV} *requirements-gateway.txt*) echo "a page of errors" >&2; exit 1 ;; esac\n'
        '[ "$1" != --version ] || echo Python 3.12.3',
    )
    done = enforcing.set_up("gateway")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("python-iptables") == 1
    assert "could not be compiled" in done.stdout
    assert "a page of errors" not in done.stdout


def test_a_python_that_is_too_old_is_refused_in_one_line(machine: Machine) -> None:
    machine.add("python3", '[ "$1" = --version ] && echo Python 3.9.2 || exit 1')
    done = machine.set_up()
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert "Python 3.9.2 is too old: TSCM needs Python 3.11 or later" in done.stdout


def test_packages_that_cannot_be_installed_end_in_a_failure(machine: Machine) -> None:
    machine.add("redis-server")
    machine.add(
        "python3",
        f'{MAKE_VENV} *" install "*) exit 1 ;; esac',
    )
    done = machine.set_up()
    assert done.returncode == 1
    assert "could not be installed" in done.stdout
    machine.add("python3")
    assert machine.set_up().returncode == 0
    assert len(machine.called(" install ")) == 1


def test_an_unknown_purpose_is_refused(machine: Machine) -> None:
    done = machine.set_up("everything")
    assert done.returncode == 1
    assert "usage: deploy/setup.sh run | gateway | check | test | bench" in done.stdout


def test_every_target_of_make_says_what_it_does() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    [targets] = [line.split()[1:] for line in makefile.splitlines() if line.startswith(".PHONY")]
    said = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=CHECKOUT,
        env=os.environ,
        check=True,
        timeout=20,
        capture_output=True,
        text=True,
    )
    assert [line.split("\t")[0].strip() for line in said.stdout.splitlines()] == targets
