"""Who has power over the kernel: read from the kernel, of the processes of a running appliance."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy import powers
from deploy.powers import (
    ENFORCING,
    HEARING,
    KEEPING,
    ORDINARY,
    READING,
    RECEIVING,
    bounded,
    deafness,
    held,
    hindrance,
)
from deploy.processes import PROCESSES, Process, enforcer, worker
from tests.runtime.running import (
    RUNNER,
    Run,
    command_line,
    new_environ,
    run_to_its_end,
    started,
    wait_until_well,
)
from tscm_site.env import Environment, read_environment

ALL = 0x1FFFFFFFFFF
# By what is on their command lines; all others are ordinary.
SPECIAL = {
    "enforcer@": ENFORCING,
    "read_kernel_log": HEARING,
    "receive_syslog": RECEIVING,
    "forward_syslog": READING,
}
NO_POWER = "this user has no power over the kernel (CAP_NET_ADMIN); run as root, or with that"

pytestmark = pytest.mark.timeout(300)


def read_new_environment(folder: Path, **variables: str) -> Environment:
    return read_environment({"TSCM_DATA_DIR": str(folder / "data")} | variables, checkout=folder)


def status(*, effective: int, bounding: int, ambient: int) -> str:
    """The lines of /proc/<pid>/status that count."""
    lines = {"Name": "python", "CapEff": effective, "CapBnd": bounding, "CapAmb": ambient}
    return "".join(
        f"{name}:\t{value if isinstance(value, str) else f'{value:016x}'}\n"
        for name, value in lines.items()
    )


@pytest.mark.parametrize(
    ("user", "effective", "bounding", "ambient", "names"),
    [
        (0, ALL, ALL, 0, KEEPING | ENFORCING | HEARING),
        (0, 1 << 12 | 1 << 13, 1 << 12 | 1 << 13, 0, ENFORCING),
        (0, 0, ALL, 0, frozenset()),
        (1000, 0, ALL, 0, frozenset()),
        # Its own, and not its children's: as when the file of a program has the capability.
        (1000, 1 << 12, ALL, 0, frozenset()),
        (1000, 1 << 12, ALL, 1 << 12, frozenset({"net_admin"})),
    ],
)
def test_what_a_started_program_would_have_is_held(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    user: int,
    effective: int,
    bounding: int,
    ambient: int,
    names: powers.Powers,
) -> None:
    file = tmp_path / "status"
    file.write_text(status(effective=effective, bounding=bounding, ambient=ambient))
    monkeypatch.setattr(powers, "_STATUS", file)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert held() == names
    command = bounded(ORDINARY, ("program",))
    assert any("--bounding-set" in option for option in command) == ("setpcap" in names)


def test_only_the_enforcer_has_power_over_the_kernel() -> None:
    having = {process.name for process in PROCESSES if process.powers & ENFORCING}
    assert having == {"enforcer"}
    hearing = {process.name for process in PROCESSES if process.powers & HEARING}
    assert hearing == {"kernel-log"}
    assert not KEEPING & (ENFORCING | HEARING)


def test_the_enforcer_hears_its_own_queue_and_leaves_the_worker_its_name(tmp_path: Path) -> None:
    environment = read_new_environment(tmp_path, TSCM_NODE="edge-gw.1", TSCM_WORKER_CONCURRENCY="7")
    command = " ".join(enforcer(environment))
    assert "--queues enforce.edge-gw.1 --hostname enforcer@edge-gw.1" in command
    assert "--concurrency 1 --prefetch-multiplier 1 --without-gossip --without-mingle" in command
    other = worker(environment)
    assert "--queues" not in other
    assert "--hostname" not in other
    assert "--concurrency 7" in " ".join(other)


def test_where_it_may_not_be_a_wanted_enforcer_refuses_the_start_in_one_line(
    tmp_path: Path,
) -> None:
    environ = new_environ(tmp_path) | {"TSCM_ENFORCE": "yes"}
    refused = run_to_its_end(environ, command=bounded(KEEPING, RUNNER))
    assert refused.returncode == 1
    assert refused.stdout.count("\n") == 1
    said = "tscm: TSCM_ENFORCE=yes, and no enforcer may be started: "
    assert refused.stdout.startswith(said + NO_POWER)


@pytest.mark.parametrize(("enforce", "reason"), [("auto", NO_POWER), ("no", "TSCM_ENFORCE=no")])
def test_an_enforcer_alone_does_not_start_without_power_or_leave(
    tmp_path: Path, enforce: str, reason: str
) -> None:
    alone = (sys.executable, "-m", "deploy.processes", "enforcer")
    environ = new_environ(tmp_path) | {"TSCM_ENFORCE": enforce}
    refused = run_to_its_end(environ, command=bounded(KEEPING, alone))
    assert refused.returncode == 1
    assert refused.stdout.startswith(f"tscm: no enforcer here: {reason}")


def test_a_start_says_that_it_does_not_enforce_and_why(appliance: Run) -> None:
    assert "  Enforcer  not started: TSCM_ENFORCE=no\n" in appliance.printed()
    assert not (appliance.data / "log" / "enforcer.log").exists()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A running appliance that enforces, as root, in the network namespace of the kernel tests."""
    environ = new_environ(tmp_path_factory.mktemp("gateway"))
    with started(environ | {"TSCM_ENFORCE": "auto", "TSCM_NODE": "edge-gw"}) as run:
        run.wait_until_it_runs()
        yield run


@pytest.mark.kernel
def test_a_start_says_which_queue_may_change_the_kernel(gateway: Run) -> None:
    said = "  Enforcer  queue enforce.edge-gw, may change this machine's kernel\n"
    assert said in gateway.printed()


@pytest.mark.kernel
def test_both_workers_are_well_under_their_own_names(gateway: Run) -> None:
    for name in ("worker", "enforcer"):
        wait_until_well(name, gateway.environ)


@pytest.mark.kernel
def test_of_all_that_runs_only_the_enforcer_has_power_over_the_kernel(gateway: Run) -> None:
    wait_until_well("enforcer", gateway.environ)
    wait_until_well("kernel-log", gateway.environ)
    keeper = gateway.keeper()
    assert capabilities(keeper) == only(KEEPING | ENFORCING | HEARING)
    found: Counter[str] = Counter()
    for process in keeper.children(recursive=True):
        words = command_line(process)
        name = next((word for word in SPECIAL if word in words), "others")
        found[name] += 1
        assert capabilities(process) == only(SPECIAL.get(name, ORDINARY)), process
    assert found.pop("others") >= 9  # queue, schedule, and three that have children
    # The enforcer is the worker and its pool's one process.
    assert found == {"enforcer@": 2, "read_kernel_log": 1, "receive_syslog": 1, "forward_syslog": 1}


@pytest.mark.kernel
@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
@pytest.mark.parametrize("program", [("ipset", "list"), ("nft", "list", "ruleset")])
def test_the_kernel_answers_eperm_to_all_but_the_enforcer(
    process: Process, program: tuple[str, ...]
) -> None:
    asked = run(bounded(process.powers, program))
    if process.name == "enforcer":
        assert asked.returncode == 0, asked.stdout
    else:
        assert asked.returncode != 0
        assert "Operation not permitted" in asked.stdout


@pytest.mark.kernel
@pytest.mark.parametrize("backend", ["iptables-legacy", "iptables-nft"])
def test_what_the_enforcer_has_is_enough_for_both_backends(backend: str) -> None:
    for option in ("-N", "-X"):
        done = run(bounded(ENFORCING, (backend, "-w", option, "TSpowers")))
        assert done.returncode == 0, done.stdout


@pytest.mark.kernel
def test_nobody_gains_a_power_that_was_taken() -> None:
    asking = ("setpriv", "--inh-caps=+net_admin", "--ambient-caps=+net_admin", "ipset", "list")
    asked = run(bounded(ORDINARY, asking))
    assert asked.returncode != 0
    assert "Operation not permitted" in asked.stdout


@pytest.mark.kernel
@pytest.mark.parametrize(("allowed", "code"), [(ENFORCING, 0), (ORDINARY, 1)])
def test_a_user_with_ambient_capabilities_gives_them_to_the_enforcer_only(
    monkeypatch: pytest.MonkeyPatch, allowed: powers.Powers, code: int
) -> None:
    listed = "-all,+net_admin,+net_raw"
    ids = ("--reuid=65534", "--regid=65534", "--clear-groups")
    user = ("setpriv", *ids, f"--inh-caps={listed}", f"--ambient-caps={listed}")
    monkeypatch.setattr(powers, "held", lambda: ENFORCING)  # as that user's own runner sees it
    assert run((*user, *bounded(allowed, ("ipset", "list")))).returncode == code


@pytest.mark.kernel
def test_a_data_folder_of_another_user_is_named_before_the_enforcer_trips_over_it(
    tmp_path: Path,
) -> None:
    environment = read_new_environment(tmp_path)
    assert hindrance(environment) is None
    os.chown(environment.data_dir, 65534, 65534)
    reason = hindrance(environment)
    assert reason is not None
    assert reason.startswith(f"{environment.data_dir} is closed to it")


@pytest.mark.kernel
def test_without_its_power_or_its_folder_nobody_is_to_read_the_kernel_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = read_new_environment(tmp_path)
    assert deafness(environment) is None
    environment.log_dir.mkdir(mode=0o700)
    os.chown(environment.log_dir, 65534, 65534)
    reason = deafness(environment)
    assert reason is not None
    assert reason.startswith(f"{environment.log_dir} is closed to its reader")
    if Path("/proc/sys/kernel/dmesg_restrict").read_text().strip() == "0":
        return  # everybody may
    monkeypatch.setattr(powers, "held", lambda: KEEPING | ENFORCING)
    reason = deafness(environment)
    assert reason is not None
    assert reason.startswith("/dev/kmsg cannot be read (it takes CAP_SYSLOG")


def only(names: powers.Powers) -> dict[str, int]:
    """What /proc says of a process of root that has these powers and can gain no more."""
    mask = sum(1 << powers._NUMBERS[name] for name in names)
    sets = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    return dict.fromkeys(sets, mask) | {"NoNewPrivs": 1}


def capabilities(process: psutil.Process) -> dict[str, int]:
    """The capability sets of a living process, and whether it may gain any."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    sets = {name: int(text, 16) for name, text in fields.items() if name.startswith("Cap")}
    return sets | {"NoNewPrivs": int(fields["NoNewPrivs"])}


def run(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return what it said."""
    return subprocess.run(
        command,
        check=False,
        timeout=20,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )
