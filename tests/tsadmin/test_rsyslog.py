"""rsyslog: what it is told, and what is put in place only when rsyslog itself takes it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from pytest_django import Settings

from devices.models import Device
from logs.services import known_senders
from policies.models import Change
from tests.factories import make_device, make_gateway, make_policy
from tests.tsadmin.conftest import Tsadmin
from tsadmin.commands import rsyslog as commands
from tsadmin.docs import PAGE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Path:
    """Where rsyslog reads its drop-ins; that of the machine is no test's to change."""
    made = tmp_path / "rsyslog.d"
    made.mkdir()
    monkeypatch.setattr(commands, "FOLDER", made)
    settings.TSCM_LOG_DIR = tmp_path / "log"
    return made


def sensor(now: datetime, nickname: str = "fmc-1", **given: object) -> Device:
    return make_device(policy=make_policy(now=now), now=now, nickname=nickname, **given)


def test_the_drop_in_of_a_device_is_printed_and_nothing_is_done(
    tsadmin: Tsadmin, now: datetime, folder: Path
) -> None:
    device = sensor(now, syslog_sources="198.51.100.0/24")
    answer = tsadmin("rsyslog", "fmc-1")
    assert answer.code == 0, answer.stderr
    assert '($fromhost-ip == "192.0.2.250" or (ip42num($fromhost-ip) >= ' in answer.stdout
    assert f'file="{folder.parent}/log/devices/fmc-1/syslog"' in answer.stdout
    assert "imudp" not in answer.stdout
    assert 'input(type="imudp" port="514")' in tsadmin("rsyslog", "fmc-1", "--inputs").stdout
    assert list(folder.iterdir()) == []
    device.refresh_from_db()
    assert device.log_writer == "receiver"


def test_what_rsyslog_takes_is_put_in_place_and_the_device_is_told(
    tsadmin: Tsadmin, now: datetime, folder: Path
) -> None:
    sensor(now)
    answer = tsadmin("rsyslog", "fmc-1", "--install")
    assert answer.code == 0, answer.stderr
    path = folder / "10-tscm-fmc-1.conf"
    assert answer.stdout == f"Wrote {path}; fmc-1's files are rsyslog's to write now.\n"
    assert "systemctl restart rsyslog" in answer.stderr
    assert path.read_text() == tsadmin("rsyslog", "fmc-1").stdout
    assert list(folder.iterdir()) == [path]
    assert (folder.parent / "log" / "devices" / "fmc-1").stat().st_mode & 0o777 == 0o750
    [sender] = known_senders()
    assert (sender.is_other, sender.writer) == (True, "other")
    changes = Change.objects.filter(subject__contains="fmc-1").count()
    again = tsadmin("rsyslog", "fmc-1", "--install", "--json").json
    assert (again["path"], again["installed"]) == (str(path), True)
    assert again["text"] == path.read_text()
    assert Change.objects.filter(subject__contains="fmc-1").count() == changes


def test_what_rsyslog_does_not_take_changes_nothing(
    tsadmin: Tsadmin, now: datetime, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = sensor(now)
    path = folder / "10-tscm-fmc-1.conf"
    path.write_text("# the one before\n")
    monkeypatch.setattr(commands, "rsyslog_drop_in", lambda **_: "if nonsense then\n")
    answer = tsadmin("rsyslog", "fmc-1", "--install")
    assert "rsyslog does not take it, nothing was changed: " in answer.error
    assert "syntax error" in answer.error
    assert [one.read_text() for one in folder.iterdir()] == ["# the one before\n"]
    device.refresh_from_db()
    assert device.log_writer == "receiver"


def test_without_rsyslog_it_is_printed_and_not_installed(
    tsadmin: Tsadmin, now: datetime, folder: Path
) -> None:
    sensor(now)
    folder.rmdir()
    assert tsadmin("rsyslog", "fmc-1").code == 0
    assert "install rsyslog" in tsadmin("rsyslog", "fmc-1", "--install").error


def test_a_folder_that_cannot_be_written_is_named(
    tsadmin: Tsadmin, now: datetime, folder: Path
) -> None:
    sensor(now)
    (folder.parent / "log").touch()
    assert "cannot be written" in tsadmin("rsyslog", "fmc-1", "--install").error


@pytest.mark.parametrize("link", ["devices", "devices/fmc-1"])
def test_a_link_in_the_place_of_a_folder_is_not_followed(
    tsadmin: Tsadmin, now: datetime, folder: Path, link: str
) -> None:
    sensor(now)
    elsewhere = folder.parent / "elsewhere"
    path = folder.parent / "log" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(elsewhere)
    assert (
        f"{path}: cannot be written (it is a link)"
        in tsadmin("rsyslog", "fmc-1", "--install").error
    )
    assert not elsewhere.exists()
    assert list(folder.iterdir()) == []


def test_of_a_gateway_it_is_the_lines_of_its_kernel(
    tsadmin: Tsadmin, now: datetime, folder: Path
) -> None:
    make_gateway(now=now, nickname="gw-1")
    answer = tsadmin("rsyslog", "gw-1", "--install")
    assert answer.code == 0, answer.stderr
    text = (folder / "10-tscm-gw-1.conf").read_text()
    assert '$msg contains "ThreatSTOP-TSblock "' in text
    assert f'file="{folder.parent}/log/threatstop.log"' in text
    [sender] = known_senders()
    assert not sender.is_read_from_kernel


def test_a_gateway_elsewhere_is_set_up_there(tsadmin: Tsadmin, now: datetime) -> None:
    make_gateway(now=now, nickname="gw-1", node="gw-1.example")
    assert "is the machine gw-1.example" in tsadmin("rsyslog", "gw-1").error


def test_what_cannot_be_told_is_refused(tsadmin: Tsadmin, now: datetime) -> None:
    sensor(now)
    sensor(now, "fmc-2")
    assert "set log_names" in tsadmin("rsyslog", "fmc-1").error
    assert tsadmin("configure", "fmc-1", "--log_names", "fw-a").code == 0
    assert '$rawmsg contains_i "fw-a"' in tsadmin("rsyslog", "fmc-1").stdout


def test_a_sample_receives_nothing(tsadmin: Tsadmin) -> None:
    assert tsadmin("demo").code == 0
    assert "is a sample" in tsadmin("rsyslog", "sample-fmc").error


def test_the_manual_shows_it_as_it_is(tsadmin: Tsadmin, now: datetime, settings: Settings) -> None:
    settings.TSCM_LOG_DIR = Path("/var/log/threatstop-of-the-manual")
    sensor(now, management_ip="192.0.2.20")
    chapter = PAGE.read_text(encoding="utf-8").partition("\n## rsyslog\n")[2].partition("\n## ")[0]
    shown = chapter.partition("$ tsadmin rsyslog fmc-1\n")[2].partition("```")[0]
    said = tsadmin("rsyslog", "fmc-1").stdout.replace("threatstop-of-the-manual", "threatstop")
    assert re.sub(r'Num="[0-9]+"', 'Num="0"', said) == shown
