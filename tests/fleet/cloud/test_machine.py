"""What a machine says of itself, and the name that comes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from fleet.cloud.base import CLOUDS
from fleet.cloud.machine import name_of, read_machine
from tests.fleet.cloud.machines import FIRMWARE, MACHINE_ID, UUID, files_of

clouds = st.sampled_from(sorted(CLOUDS))


@given(clouds, st.text())
def test_a_name_is_the_prefix_of_its_cloud_and_twelve_digits(cloud: str, identity: str) -> None:
    name = name_of(CLOUDS[cloud], identity)
    assert re.fullmatch(r"(azure|aws|gcp|linux)_ip_[0-9]{12}", name, re.ASCII)
    assert name.startswith(CLOUDS[cloud].prefix)
    assert name == name_of(CLOUDS[cloud], identity)


def test_a_name_stays_the_same_in_later_versions() -> None:
    assert name_of(CLOUDS["azure"], UUID) == "azure_ip_005709206567"


@given(st.lists(st.uuids().map(str), unique=True, max_size=50))
def test_machines_of_a_cloud_have_names_of_their_own(identities: list[str]) -> None:
    names = {name_of(CLOUDS["aws"], identity) for identity in identities}
    assert len(names) == len(identities)


@pytest.mark.parametrize("cloud", sorted(FIRMWARE))
def test_the_firmware_names_the_cloud(tmp_path: Path, cloud: str) -> None:
    machine = read_machine(files_of(tmp_path, **FIRMWARE[cloud]))
    assert machine.cloud == (CLOUDS[cloud] if cloud != "none" else None)
    assert (machine.product_uuid, machine.machine_id) == (UUID, MACHINE_ID)


def test_another_machine_of_azures_hypervisor_is_not_in_azure(tmp_path: Path) -> None:
    here = {**FIRMWARE["azure"], "chassis_asset_tag": "1234-5678"}
    assert read_machine(files_of(tmp_path, **here)).cloud is None


def test_an_old_machine_of_amazon_is_known_by_its_bios(tmp_path: Path) -> None:
    machine = read_machine(files_of(tmp_path, sys_vendor="Xen", bios_version="4.11.amazon"))
    assert machine.cloud == CLOUDS["aws"]


@pytest.mark.parametrize(
    "text",
    [
        "", "Not Settable", "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff", "x" * 10_000,
    ],
)  # fmt: skip
def test_what_stands_for_no_identifier_is_none(tmp_path: Path, text: str) -> None:
    root = files_of(tmp_path, product_uuid=text)
    (root / "etc" / "machine-id").write_text("uninitialized\n")
    machine = read_machine(root)
    assert (machine.product_uuid, machine.machine_id) == ("", "")


def test_a_machine_without_any_of_the_files_says_nothing(tmp_path: Path) -> None:
    machine = read_machine(tmp_path)
    assert machine.cloud is None
    assert (machine.product_uuid, machine.machine_id) == ("", "")
