"""What docs/log-upload.md says is what happens."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from logs.collector import __main__ as collector_command
from logs.collector.store import MOST_DEVICES
from logs.shippers.upload import DEFAULT_URL
from tests.fakes.foreground import free_port
from tests.fakes.logservice import LogService
from tests.logs.batches import closed_batch
from tests.logs.collector.sending import Sent, exchange
from tests.logs.shippers.uploads import take, upload

PAGE = (Path(__file__).parents[3] / "docs" / "log-upload.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)]
BIN = Path(sys.executable).parent


def test_the_request_on_the_page_has_the_headers_that_are_sent(tmp_path: Path) -> None:
    shown = re.search(r"```http\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    names = [line.partition(":")[0].lower() for line in shown[1].splitlines()[1:]]
    with LogService(take) as service:
        upload(closed_batch(tmp_path), service.url())
    assert names == list(service.conversations[0].headers)


def test_the_page_names_the_log_service_and_the_bounds() -> None:
    assert DEFAULT_URL in PAGE
    assert f"there are {MOST_DEVICES:,} already" in PAGE


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: Path(words[0]).name)
def test_the_commands_on_the_page_work(words: list[str], tmp_path: Path) -> None:
    port = free_port()
    changed = [word.replace("/srv/tscm-logs", str(tmp_path)) for word in words[1:]]
    changed = [re.sub(r"[\d.]+:8444", f"127.0.0.1:{port}", word) for word in changed]
    program = str(BIN / Path(words[0]).name)
    if "--list" in changed:
        subprocess.run([program, *changed], check=True, timeout=30)
        return
    if "--certificate" in changed:  # it is served with one in other tests
        del changed[changed.index("--certificate") :]
    with subprocess.Popen([program, *changed], stderr=subprocess.DEVNULL) as process:
        try:
            sent = Sent()
            assert answer_when_up(port, sent.head() + sent.body).startswith(b"HTTP/1.1 200 OK")
        finally:
            process.terminate()
    assert (tmp_path / sent.device_id / "1.log.gz").read_bytes() == sent.body


def answer_when_up(port: int, request: bytes) -> bytes:
    """Return the answer of a server that has just been started."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return exchange(port, request)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        collector_command.main(["--help"])
    assert caught.value.code == 0
    assert "--folder FOLDER" in capsys.readouterr().out
