"""The drop-in that has rsyslog write a device's file: whose lines it takes, and what it refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from logs.receiver.rsyslog import DropInRefused, Site, drop_in
from logs.receiver.senders import KnownSender
from tests.fakes.foreground import program

SITE = Site(Path("/var/log/threatstop"), "edge-gw", 0, 4)


def sender(key: int, *networks: str, names: tuple[str, ...] = ()) -> KnownSender:
    return KnownSender(key, f"edge-{key}", f"tdid_{key}", networks, names)


def condition(ours: KnownSender, *others: KnownSender) -> str:
    text = drop_in(ours, [ours, *others], SITE, inputs=False)
    [line] = [line for line in text.splitlines() if line.startswith("if ")]
    return line.removeprefix("if ").removesuffix(" then {")


def accepted(text: str, folder: Path) -> str:
    """Return what rsyslog itself says against a drop-in."""
    path = folder / "drop-in.conf"
    path.write_text(text)
    command = [program("rsyslogd", "rsyslog"), "-N1", "-f", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    said = [line for line in done.stderr.splitlines() if "config validation run" not in line]
    return "\n".join(said) + ("" if done.returncode == 0 else f"ended with {done.returncode}")


def test_addresses_and_networks_are_told_apart_from_those_of_others() -> None:
    assert condition(
        sender(1, "192.0.2.7", "198.51.100.0/24", "2001:db8:1::/48", "2001:db8::7"),
        sender(2, "198.51.100.9"),
        sender(3, "203.0.113.1"),
    ) == (
        '($fromhost-ip == "192.0.2.7" or '
        "(ip42num($fromhost-ip) >= 3325256704 and ip42num($fromhost-ip) <= 3325256959) or "
        '$fromhost-ip startswith "2001:db8:1:" or $fromhost-ip == "2001:db8::7")'
        ' and not ($fromhost-ip == "198.51.100.9")'
    )


def test_devices_behind_one_address_are_told_apart_by_their_names() -> None:
    shared = condition(sender(1, "192.0.2.7", names=("fw-a", "fw-b")), sender(2, "192.0.2.7"))
    assert shared.endswith('and ($rawmsg contains_i "fw-a" or $rawmsg contains_i "fw-b")')


@pytest.mark.parametrize(
    ("ours", "others", "said"),
    [
        (sender(1), (), "set management_ip or syslog_sources"),
        (sender(1, "192.0.2.7"), (sender(2, "192.0.2.7"),), "set log_names"),
        (sender(1, "2001:db8::/33"), (), "rsyslog cannot tell this network"),
        (sender(1, "2001:db8:0:1::/64"), (), "rsyslog cannot tell this network"),
        (sender(1, "::/0"), (), "rsyslog cannot tell this network"),
    ],
)
def test_what_rsyslog_cannot_be_told_is_refused_with_the_way_out(
    ours: KnownSender, others: tuple[KnownSender, ...], said: str
) -> None:
    with pytest.raises(DropInRefused, match=said):
        drop_in(ours, others, SITE, inputs=False)


def test_a_path_that_means_something_to_rsyslog_is_refused() -> None:
    site = Site(Path('/var/log/thr"eat'), "edge-gw", 0, 0)
    with pytest.raises(DropInRefused, match="rsyslog cannot be told this path"):
        drop_in(sender(1, "192.0.2.7"), [], site, inputs=False)


@pytest.mark.parametrize("inputs", [False, True])
def test_rsyslog_takes_the_drop_in_of_a_sensor(tmp_path: Path, inputs: bool) -> None:
    ours = sender(1, "192.0.2.7", "198.51.100.0/24", "2001:db8:1::/48", names=("fw-a",))
    others = [sender(2, "198.51.100.9", "192.0.2.7")]
    text = drop_in(ours, others, SITE, inputs=inputs)
    assert accepted(text, tmp_path) == ""
    assert ('input(type="imtcp" port="514")' in text) == inputs
    assert 'file="/var/log/threatstop/devices/edge-1/syslog"' in text
    assert 'fileOwnerNum="0" fileGroupNum="4" fileCreateMode="0640"' in text


def test_rsyslog_takes_the_drop_in_of_a_gateway(tmp_path: Path) -> None:
    ours = KnownSender(1, "gw", "tdid_1", (), is_kernel=True)
    text = drop_in(ours, [], SITE, inputs=True)
    assert accepted(text, tmp_path) == ""
    assert 'file="/var/log/threatstop/threatstop.log"' in text
    assert 'module(load="imklog")' in text
