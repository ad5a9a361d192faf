"""The quickstart works, word for word."""

from __future__ import annotations

import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from tests.docs.console_blocks import run_page, steady
from tests.fakes.bind import BindMissing, named


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return str(sock.getsockname()[1])


@pytest.mark.timeout(180)
def test_the_quickstart_prints_what_it_says() -> None:
    try:
        named()
    except BindMissing as missing:
        pytest.skip(str(missing))
    if not Path(".venv/bin/tsadmin").exists():
        pytest.skip("no .venv/bin/tsadmin here (make setup)")
    if shutil.which("dig") is None:
        pytest.skip("no dig here (apt-get install bind9-dnsutils)")
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        ports = {"5353": free_port(), "8001": free_port(), "514": free_port()}
        written, printed = run_page(Path(scratch), ports=ports)
    assert steady(printed) == steady(written)
