"""No container engine runs in the tests: what can be told from the files themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dj_database_url
import pytest
import yaml

from deploy.health import CHECKS
from deploy.processes import PROCESSES
from tscm_site.env import CHECKOUT, SECRETS, VARIABLES, read_environment

COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENFORCER = SERVICES["enforcer"]
OURS = [process.name for process in PROCESSES if process.name != "broker"]


def test_the_compose_file_follows_its_schema() -> None:
    run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_the_dockerfile_passes_its_linter() -> None:
    run_tool("hadolint", "Dockerfile")


def test_every_process_of_the_runner_is_a_service() -> None:
    assert {process.name for process in PROCESSES} | {"db", "migrate"} == set(SERVICES)
    for name in OURS:
        assert SERVICES[name]["command"] == [name]
        assert SERVICES[name]["healthcheck"]["test"][-1] == name
    assert set(CHECKS) == set(OURS)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_capability_and_no_way_to_gain_one(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert ("cap_add" in service) == (name in {"enforcer", "kernel-log"})
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service.get("privileged", False) is False


@pytest.mark.parametrize("name", ["db", "broker"])
def test_a_neighbour_runs_as_its_own_user(name: str) -> None:
    assert SERVICES[name]["user"] not in {"root", "0"}


def test_an_image_runs_as_a_user_by_number_who_is_not_root() -> None:
    stages = "\n".join(dockerfile()).split("\nFROM ")
    users = [re.findall(r"^USER (\w+)$", stage, re.MULTILINE) for stage in stages]
    assert [stage[-1] for stage in users if stage] == ["10001"] * 3


def test_nobody_enforces_unless_it_is_asked_for_and_only_the_enforcer_sees_the_host() -> None:
    assert ENFORCER["profiles"] == SERVICES["kernel-log"]["profiles"] == ["gateway"]
    shared = [name for name, service in SERVICES.items() if "network_mode" in service]
    assert shared == ["enforcer"]
    targets = {name: service.get("build", {}).get("target") for name, service in SERVICES.items()}
    assert {name for name, target in targets.items() if target == "gateway"} == {"enforcer"}
    assert "image" in ENFORCER
    assert ENFORCER["image"] != SERVICES["worker"]["image"]


def test_the_enforcer_reaches_its_neighbours_by_sockets_that_nobody_else_mounts() -> None:
    for volume, neighbour in (("broker-socket", "broker"), ("database-socket", "db")):
        users = [name for name in SERVICES if volume in str(SERVICES[name].get("volumes"))]
        assert users == [neighbour, "enforcer"]
        [theirs] = [text for text in SERVICES[neighbour]["volumes"] if volume in text]
        assert theirs in ENFORCER["volumes"]
    # What is no file of a secret is no secret: the environment is read as compose would give it.
    given = {name: text for name, text in ENFORCER["environment"].items() if "_FILE" not in name}
    environment = read_environment({**given, "TSCM_NODE": ""}, checkout=Path("/nonexistent"))
    assert environment.broker_url == "redis+socket:///run/broker/redis.sock"
    database = dj_database_url.parse(environment.database_url)
    assert (database["HOST"], database["NAME"]) == ("/run/postgresql", "tscm")
    assert database["PASSWORD"] == ""


@pytest.mark.kernel
def test_the_kernel_logs_entry_point_ends_up_as_a_user_with_one_capability() -> None:
    command = started_by_an_engine(SERVICES["kernel-log"])
    said = subprocess.run(
        [*command, "cat", "/proc/self/status"],
        check=True, timeout=20, capture_output=True, text=True,
    ).stdout  # fmt: skip
    fields = {line.split(":")[0]: line.split()[1:] for line in said.splitlines()}
    assert fields["Uid"] == fields["Gid"] == ["10001"] * 4
    assert int(fields["CapEff"][0], 16) == int(fields["CapAmb"][0], 16) == 1 << 34
    subprocess.run([*command, "sh", "-c", ": </dev/kmsg"], check=True, timeout=20)


def started_by_an_engine(service: dict[str, Any]) -> tuple[str, ...]:
    """Return what an engine would start: root with what `cap_add` says, and no new privileges."""
    added = ",".join(f"+{name.lower()}" for name in service["cap_add"])
    engine = ("setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{added}", "--")
    entry = service["entrypoint"]
    return (*engine, *entry[: entry.index("--") + 1])


@pytest.mark.kernel
def test_the_enforcers_entry_point_ends_up_as_a_user_with_two_capabilities() -> None:
    command = started_by_an_engine(ENFORCER)
    said = subprocess.run(
        [*command, "cat", "/proc/self/status"],
        check=True,
        timeout=20,
        capture_output=True,
        text=True,
    ).stdout
    fields = {line.split(":")[0]: line.split()[1:] for line in said.splitlines()}
    assert fields["Uid"] == fields["Gid"] == ["10001"] * 4
    assert fields["Groups"] == []
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(fields[name][0], 16) == 1 << 12 | 1 << 13
    for program in (["ipset", "list"], ["iptables-nft", "-S"], ["nft", "list", "ruleset"]):
        subprocess.run([*command, *program], check=True, timeout=20, capture_output=True)


def test_the_image_installs_by_hash_and_copies_every_package_of_ours() -> None:
    assert any("--require-hashes" in line for line in dockerfile())
    copied = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines()}
    packages = {path.parent.name for path in CHECKOUT.glob("*/__init__.py")} - {"bench", "tests"}
    assert packages <= copied


def test_only_known_variables_are_set_and_passwords_come_in_files() -> None:
    known = {variable.name for variable in VARIABLES} | {f"{name}_FILE" for name in SECRETS}
    for name in (*OURS, "migrate"):
        environment = SERVICES[name]["environment"]
        assert set(environment) <= known
        files = [text for variable, text in environment.items() if variable.endswith("_FILE")]
        assert files == [f"/run/secrets/{secret}" for secret in SERVICES[name]["secrets"]]


def test_the_console_is_published_on_loopback_only() -> None:
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8000:8000"]
    published = [name for name, service in SERVICES.items() if "ports" in service]
    assert published == ["web", "feeds", "notify", "receiver"]


def test_nobody_hears_notify_unless_it_is_asked_for() -> None:
    assert SERVICES["notify"]["profiles"] == ["notify"]


def test_the_secrets_are_made_once_and_fit_what_reads_them(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    script = tmp_path / "deploy" / "compose_secrets.sh"
    script.write_bytes((CHECKOUT / "deploy" / "compose_secrets.sh").read_bytes())
    subprocess.run(["bash", script], check=True, timeout=30)
    folder = tmp_path / "secrets"
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(first) == set(COMPOSE["secrets"])
    assert folder.stat().st_mode & 0o077 == 0
    assert first["db_password"].strip() in first["database_url"]
    subprocess.run(["bash", script], check=True, timeout=30)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    read = "from tscm_site.env import read_environment; print(read_environment().database_url)"
    environ = {f"TSCM_{name.upper()}_FILE": str(folder / name) for name in first}
    del environ["TSCM_DB_PASSWORD_FILE"]
    environ |= {"TSCM_DATA_DIR": str(tmp_path / "data")}
    asked = subprocess.run(
        [sys.executable, "-c", read],
        cwd=CHECKOUT,
        env=environ,
        check=True,
        timeout=30,
        capture_output=True,
        text=True,
    )
    assert asked.stdout == first["database_url"]


def dockerfile() -> list[str]:
    return (CHECKOUT / "Dockerfile").read_text(encoding="utf-8").splitlines()


def run_tool(*command: str) -> None:
    """Run a program of the virtual environment and show what it says when it fails."""
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [program, *command[1:]],
        cwd=CHECKOUT,
        timeout=60,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
