"""What is written for a server is read by it, and nothing from outside becomes a part of it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from fleet.primary.base import Access, Grant, Key, PrimaryRefused, Role, Served, ServedZone
from fleet.primary.checked import checked
from fleet.primary.configuration import CONFIGURATIONS
from tests.fleet.primary.console import DOMAIN, POLICY, STATUS, Device, served

OWN = Key(f"portal.{DOMAIN}", bytes(range(32)))
_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
CHECKS = {
    "bind": ("named-checkconf", "{file}"),
    "knot": ("knotc", "-c", "{file}", "conf-check"),
}

labels = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", fullmatch=True)
texts = st.text(max_size=30) | st.sampled_from(
    ['a"; }; zone "x', "a\n  - id: b", "a]", "a{", "a;b", "192.0.2.0/24; any", "::/0 }", "a b", "ä"]
)


def written(kind: str, wanted: Served, *, are_updated: bool = True) -> str:
    """Return what a server is to include; raise PrimaryRefused where it cannot be written."""
    served_ones = checked(wanted, own=OWN)
    render = CONFIGURATIONS[kind].render
    parts: Iterator[str] = render(
        served_ones, own=OWN, files=Path("/srv/tscm/zones"), are_updated=are_updated
    )
    return "".join(parts)


def is_read(kind: str, text: str, folder: Path) -> str:
    """Return what a server's own check says against a configuration."""
    program, *words = CHECKS[kind]
    path = shutil.which(program, path=_PATH)
    if path is None:
        pytest.skip(f"{program} is not installed")
    file = folder / "tscm.conf"
    file.write_text(text, encoding="ascii")
    done = subprocess.run(
        [path, *(word.format(file=file) for word in words)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("are_updated", [True, False], ids=["by update", "by file"])
@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_a_server_reads_what_is_written_for_many_devices(
    kind: str, tmp_path: Path, *, are_updated: bool
) -> None:
    devices = [Device(f"td_{number}") for number in range(1000)]
    wanted = served(*devices, policy=True, networks=["192.0.2.7", "2001:db8::/32", "10.1.2.3/8"])
    assert is_read(kind, written(kind, wanted, are_updated=are_updated), tmp_path) == ""


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_a_server_reads_what_is_written_where_nothing_is_served(kind: str, tmp_path: Path) -> None:
    assert is_read(kind, written(kind, Served((), ())), tmp_path) == ""


@pytest.mark.parametrize("kind", CONFIGURATIONS)
@given(name=labels)
def test_any_plain_name_can_be_served(kind: str, name: str) -> None:
    text = written(kind, served(Device(name)))
    assert text.count(f"{name}.device.{DOMAIN}") >= 1


@pytest.mark.parametrize("kind", CONFIGURATIONS)
@given(text=texts, place=st.sampled_from(["key", "zone", "network", "grant"]))
def test_no_text_becomes_more_than_the_name_it_stands_for(kind: str, text: str, place: str) -> None:
    secret = bytes(32)
    zones = {
        "key": ServedZone(POLICY, Role.POLICY, Access()),
        "zone": ServedZone(text, Role.POLICY, Access()),
        "network": ServedZone(POLICY, Role.POLICY, Access(networks=(text,))),
        "grant": ServedZone(STATUS, Role.STATUS, Access(), (Grant("k", f"{text}.{STATUS}"),)),
    }
    wanted = Served((Key(text if place == "key" else "k", secret),), (zones[place],))
    plain = {
        "key": ServedZone(POLICY, Role.POLICY, Access()),
        "zone": ServedZone(POLICY, Role.POLICY, Access()),
        "network": ServedZone(POLICY, Role.POLICY, Access(networks=("192.0.2.0/24",))),
        "grant": ServedZone(STATUS, Role.STATUS, Access(), (Grant("k", f"x.{STATUS}"),)),
    }
    usual = written(kind, Served((Key("k", secret),), (plain[place],)))
    try:
        found = written(kind, wanted)
    except PrimaryRefused:
        return
    for mark in '"{};\n[] ':
        assert found.count(mark) == usual.count(mark), mark


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Served((Key("a", b""), Key("A", b"")), ()), "key a is there twice"),
        (Served((OWN,), ()), "is there twice"),
        (
            Served(
                (), (ServedZone("z", Role.POLICY, Access()), ServedZone("Z", Role.POLICY, Access()))
            ),
            "zone z is there twice",
        ),
        (
            Served((), (ServedZone("z", Role.POLICY, Access(("b",))),)),
            "for the key b, which is not",
        ),
        (
            Served((Key("a", b""),), (ServedZone("z", Role.STATUS, Access(), (Grant("a", "y"),)),)),
            "y does not lie below the zone z",
        ),
        (
            Served((), (ServedZone("z" * 63 + ".z" * 100, Role.POLICY, Access()),)),
            "cannot be the name",
        ),
        (Served((), (ServedZone("z", Role.POLICY, Access((), ("x",))),)), "192.0.2.0/24"),
    ],
)
def test_what_contradicts_itself_is_refused(wanted: Served, message: str) -> None:
    with pytest.raises(PrimaryRefused, match=message):
        checked(wanted, own=OWN)
