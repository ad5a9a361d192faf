from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.nameserver import Nameserver, Pause
from tests.tsadmin.conftest import CHECKOUT, SECONDS, Appliance

REQUIRED = ("--device_id", "tdid_1", "--management_ip", "192.0.2.10")


def test_help_imports_neither_django_nor_arrays_nor_rich() -> None:
    check = (
        "import sys, tsadmin.app\n"
        "heavy = {'django', 'numpy', 'rich', 'celery', 'tscm_site'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=CHECKOUT,
        timeout=SECONDS,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_help_answers_quickly(prepared: Appliance, capsys: pytest.CaptureFixture[str]) -> None:
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        answer = prepared.run("--help")
        taken.append(time.perf_counter() - started)
        assert (answer.code, "Usage: tsadmin" in answer.stdout) == (0, True)
    # Printed, not asserted: a figure of a machine that does other things too.
    with capsys.disabled():
        sys.stdout.write(f"\n  tsadmin --help: {min(taken):.2f} s, the best of {len(taken)}\n")


def test_without_a_database_it_says_how_to_make_one_and_makes_none(tmp_path: Path) -> None:
    answer = Appliance(tmp_path / "new").run("list")
    assert answer.code == 1
    assert "run 'make run' first" in answer.error
    assert not list((tmp_path / "new").glob("*.sqlite3*"))
    assert Appliance(tmp_path / "new").run("version").code == 0


def test_with_a_database_that_is_not_prepared_it_says_what_to_do(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "tscm.sqlite3").close()
    (tmp_path / "tscm.sqlite3").touch()
    answer = Appliance(tmp_path).run("demo")
    assert answer.code == 1
    assert answer.error == "the database is not ready: run 'make run' first, which prepares it"


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "tscm.sqlite3").write_bytes(b"This is a text.\n" * 100)
    answer = Appliance(tmp_path).run("list")
    assert (answer.code, "file is not a database" in answer.error) == (1, True)


def test_an_environment_that_cannot_be_understood_is_one_line(prepared: Appliance) -> None:
    answer = prepared.run("list", env={"TSCM_FEED_BIND": "everywhere"})
    assert answer.code == 1
    assert answer.error.startswith("TSCM_FEED_BIND=everywhere: not accepted.")


def test_root_does_not_write_into_the_folder_of_another_user(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a folder away")
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    answer = Appliance(data).run("list")
    assert answer.code == 1
    assert "sudo -u nobody" in answer.error


def test_arguments_that_are_not_text_are_refused(prepared: Appliance) -> None:
    done = subprocess.run(
        [os.fsencode(part) for part in prepared.command] + [b"show", b"\xff\xfe"],
        env=prepared.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, b"Error: ??" in done.stderr) == (2, True)


def test_a_failure_nobody_expected_is_one_line_and_its_details_are_kept(
    appliance: Appliance,
) -> None:
    assert appliance.run("add", "fmc", "--type", "firepower", *REQUIRED).code == 0
    _sql(appliance, "UPDATE policies_source SET settings = '{}'")
    answer = appliance.run("show", "fmc")
    log = appliance.data / "log" / "tsadmin.log"
    assert (answer.code, answer.stdout) == (1, "")
    assert answer.error == f"unexpected failure (KeyError); details are in {log}"
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_what_it_did_is_in_its_log_and_not_on_the_screen(appliance: Appliance) -> None:
    answer = appliance.run("demo")
    assert answer.code == 0, answer.stderr
    assert "INFO" not in answer.stdout + answer.stderr
    assert "publish policy=sample" in (appliance.data / "log" / "tsadmin.log").read_text()


def test_a_log_folder_that_cannot_be_written_stops_nothing(
    appliance: Appliance, tmp_path: Path
) -> None:
    (tmp_path / "log").write_text("a file in the way")
    answer = appliance.run("demo", "--json", env={"TSCM_LOG_DIR": str(tmp_path / "log")})
    assert (answer.code, answer.stderr) == (0, "")


def test_ctrl_c_during_an_update_ends_quietly_and_leaves_nothing_claimed(
    appliance: Appliance,
) -> None:
    with Nameserver(lambda _: [Pause(SECONDS)]) as nameserver:
        server = ("--dns_server", nameserver.host, "--dns_port", str(nameserver.port))
        flags = (*REQUIRED, "--block_list", "slow.example", *server)
        assert appliance.run("add", "fmc", "--type", "firepower", *flags).code == 0
        with appliance.at_terminal("update", "fmc") as terminal:
            _wait_for_question(nameserver)
            assert terminal.interrupt() == 130
    assert "Traceback" not in terminal.seen
    assert "Error" not in terminal.seen
    claimed = _sql(appliance, "SELECT count(*) FROM policies_source WHERE claimed_by != ''")
    assert claimed == [(0,)]


def test_a_reader_that_goes_away_is_no_failure_to_shout_about(appliance: Appliance) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*appliance.command, "version", "--all"],
        env=appliance.environment(),
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_launcher_works_from_any_folder(prepared: Appliance) -> None:
    done = subprocess.run(
        [CHECKOUT / "deploy" / "tsadmin", "version"],
        env=prepared.environment(PYTHONPATH=""),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def _wait_for_question(nameserver: Nameserver) -> None:
    deadline = time.monotonic() + SECONDS
    while not nameserver.questions:
        assert time.monotonic() < deadline, "no question came"


def _sql(appliance: Appliance, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(appliance.data / "tscm.sqlite3", timeout=20)) as database:
        rows = database.execute(statement).fetchall()
        database.commit()
        return rows
