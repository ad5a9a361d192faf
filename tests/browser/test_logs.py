"""An administrator sees who sends, and has it kept: console and receiver as they really run."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, USER, opened, sign_in
from tests.fakes.appliance import Appliance, appliance, wait_until
from tests.fakes.foreground import free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
MAKE = f"""
from django.contrib.auth.models import User
from django.core.management import call_command
from tests.factories import make_device, make_policy
call_command("collectstatic", interactive=False, verbosity=0)
User.objects.create_superuser("{USER}", password="{PASSWORD}")
policy = make_policy(now=timezone.now(), name="edge")
make_device(policy=policy, now=timezone.now(), nickname="fmc-1")
make_device(policy=policy, now=timezone.now(), nickname="fmc-2")
"""
LINE = b"<113>Mar  1 01:02:36 fmc-2 %FTD-1-430002: number "


@pytest.fixture
def ports() -> tuple[int, int]:
    """Of the console and of the receiver."""
    return free_port(), free_port()


@pytest.fixture
def site(tmp_path: Path, ports: tuple[int, int]) -> Iterator[Appliance]:
    """An appliance with two firewalls, its console and its receiver."""
    console, syslog = ports
    environment = {
        "TSCM_CONSOLE_BIND": f"127.0.0.1:{console}",
        "TSCM_FEED_BIND": f"127.0.0.1:{free_port()}",
        "TSCM_SYSLOG_BIND": f"127.0.0.1:{syslog}",
        "TSCM_BROKER_URL": "redis://127.0.0.1:1/0",
    }
    with appliance(tmp_path / "data", **environment) as made:
        made.python(MAKE)
        made.start("web")
        made.start("receiver")
        wait_until(lambda: all(map(_answers, ports)), seconds=60, what="console and receiver")
        yield made


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture
def console(
    browser: Browser, site: Appliance, ports: tuple[int, int], complaints: list[str]
) -> Iterator[Page]:
    """The start page of that appliance, signed in."""
    with opened(browser, f"http://127.0.0.1:{ports[0]}", complaints) as page:
        sign_in(page)
        yield page


def see(page: Page, path: str, text: str) -> None:
    """Look at a page again and again until it says so."""

    def says() -> bool:
        page.goto(path)
        return text in page.locator("body").inner_text()

    wait_until(says, what=f"{path} says {text}")


def go_on_sending(sensor: socket.socket, kept: Path) -> int:
    """Send as sensors do, whoever listens, until lines are kept; return how many are."""

    def is_kept(line: bytes) -> bool:
        sensor.sendall(line)
        return line in kept.read_bytes()

    wait_until(lambda: is_kept(LINE + b"2\n"), what="lines are kept")
    sensor.sendall(LINE + b"3\n")
    wait_until(lambda: kept.read_bytes().endswith(b"3\n"), what="the last line is kept")
    return len(kept.read_bytes().splitlines())


def test_a_sender_that_nobody_knows_is_adopted_and_its_lines_are_kept(
    console: Page, site: Appliance, ports: tuple[int, int]
) -> None:
    with socket.create_connection(("127.0.0.1", ports[1])) as sensor:
        sensor.sendall(LINE + b"1\n")
        see(console, "/admin/logs/sender/", "number 1")
        console.goto("/admin/")
        console.locator("#log-tallies").get_by_text("refused senders").click()
        expect(console.locator("#result_list")).to_contain_text("127.0.0.1")
        console.get_by_role("button", name="Adopt for fmc-2").click()
        expect(console.get_by_text("127.0.0.1 is a syslog source of fmc-2 now")).to_be_visible()
        expect(console.get_by_text(f"UDP to 127.0.0.1:{ports[1]}")).to_be_visible()
        lines = go_on_sending(sensor, site.data_dir / "log" / "devices" / "fmc-2" / "syslog")
    see(console, "/admin/logs/spool/", "fmc-2")
    console.get_by_role("link", name="fmc-2").click()
    console.wait_for_url("**/change/**")
    see(console, console.url, f"= {lines} kept + 0 refused + 0 over quota + 0 lost")
    console.get_by_role("button", name="Close and upload now").click()
    expect(console.get_by_text("becomes a batch within seconds")).to_be_visible()
    see(console, console.url, "uploads: waiting")
