"""Who a machine is: found once, kept, and the same ever after."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleet.cloud.base import CLOUDS, Registration, RegistrationRefused
from fleet.cloud.identity import AUTO, identify
from fleet.cloud.machine import Machine, name_of, read_machine
from policies.sources.base import Deadline
from tests.fakes.webserver import WebServer
from tests.fleet.cloud.machines import (
    FIRMWARE,
    INSTANCES,
    MACHINE_ID,
    PLAIN,
    UUID,
    files_of,
    service_of,
)

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "secrets" / "registration"


def identified(
    path: Path, machine: Machine = PLAIN, *, cloud: str = AUTO, origin: str = NOBODY
) -> Registration:
    return identify(path, cloud=cloud, machine=machine, origin=origin, deadline=Deadline.after(10))


@pytest.mark.parametrize("cloud", sorted(INSTANCES))
def test_a_machine_in_a_cloud_is_named_by_what_its_cloud_calls_it(path: Path, cloud: str) -> None:
    with WebServer(service_of(cloud)) as service:
        found = identified(path, origin=service.url(""))
    assert found.cloud == CLOUDS[cloud]
    assert found.nickname == name_of(CLOUDS[cloud], INSTANCES[cloud])


def test_without_a_metadata_service_the_firmware_says_which_machine_it_is(
    path: Path, tmp_path: Path
) -> None:
    machine = read_machine(files_of(tmp_path, **FIRMWARE["azure"]))
    found = identified(path, machine)
    assert found.nickname == name_of(CLOUDS["azure"], UUID)
    assert (found.cloud.manufacturer, found.cloud.model) == ("Microsoft", "Azure IP Firewall")


def test_a_machine_of_its_own_is_named_by_its_system(path: Path, tmp_path: Path) -> None:
    machine = read_machine(files_of(tmp_path, **FIRMWARE["none"]))
    assert identified(path, machine).nickname == name_of(CLOUDS["none"], MACHINE_ID)


def test_what_was_found_once_stays_whatever_the_service_says_later(path: Path) -> None:
    first = identified(path, cloud="aws")
    with WebServer(service_of("aws")) as service:
        assert identified(path, cloud="aws", origin=service.url("")) == first
        assert identified(path, Machine(), origin=service.url("")) == first
    assert not service.requests
    assert len(first.secret) == 43
    assert first.secret not in repr(first)


def test_what_is_kept_is_for_the_owner_alone(path: Path) -> None:
    identified(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["registration"]


def test_of_many_that_ask_at_once_all_are_the_same_machine(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: identified(path), range(8)))
    assert len({(one.nickname, one.secret) for one in found}) == 1


def test_another_cloud_than_that_it_registered_in_is_refused(path: Path) -> None:
    identified(path, cloud="gcp")
    with pytest.raises(RegistrationRefused, match=r"in the cloud gcp, not aws: leave --cloud out"):
        identified(path, cloud="aws")


def test_a_machine_that_nothing_tells_from_others_is_refused(path: Path) -> None:
    with pytest.raises(RegistrationRefused, match=r"^nothing tells this machine from others"):
        identified(path, Machine())
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        "", "{}", "[]", "null", '{"nickname": 1, "cloud": "aws", "secret": 2}', "\udcff",
        json.dumps({"nickname": "a b", "cloud": "aws", "secret": "x" * 43}),
        json.dumps({"nickname": "aws_ip_1", "cloud": "moon", "secret": "x" * 43}),
        json.dumps({"nickname": "aws_ip_1", "cloud": "aws", "secret": "short"}),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_is_told_and_left_as_it_is(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(content, errors="surrogateescape")
    with pytest.raises(RegistrationRefused, match="restore it from a backup, or remove it"):
        identified(path)
    assert path.read_text(errors="surrogateescape") == content


def test_a_folder_that_cannot_be_written_is_told(path: Path) -> None:
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("in the way")
    with pytest.raises(RegistrationRefused, match="registration cannot be written: "):
        identified(path)
