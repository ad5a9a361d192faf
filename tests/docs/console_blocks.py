"""The `console` blocks of a page: run them, and write or compare what they print.

`python -m tests.docs.console_blocks` runs docs/quickstart.md and writes the real output into it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fakes.appliance import CHECKOUT, Appliance, appliance, wait_until
from tests.fakes.bind import named

PAGE = CHECKOUT / "docs" / "quickstart.md"
_BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=^```)", re.MULTILINE | re.DOTALL)
# What differs from run to run, and how the page is allowed to differ from the run.
_VOLATILE = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"), "MOMENT"),
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"), "DATE"),
    (re.compile(r"http://[0-9a-f.:\[\]]+/"), "http://HOST/"),
    (re.compile(r"\b\d+\.\d(?=\s*$)", re.MULTILINE), "SECONDS"),
)


class Page:
    """A page and an appliance with a DNS server to run it on; the page's ports become free ones."""

    def __init__(self, site: Appliance, ports: dict[str, str]) -> None:
        self.site = site
        self.ports = ports
        self.pulls = 0
        self.text = PAGE.read_text(encoding="utf-8")

    def _pulls_are_recorded(self) -> bool:
        recorded = self.site.row("SELECT count(*) FROM devices_pull")
        return recorded is not None and recorded[0] >= self.pulls

    def run(self) -> str:
        """Return the page with the output of this run in every block."""
        variables = self.site.data_dir / "variables"
        variables.touch()
        return _BLOCK.sub(lambda block: self._run_block(block[0], variables), self.text)

    def _run_block(self, block: str, variables: Path) -> str:
        lines = []
        for command in (line[2:] for line in block.splitlines() if line.startswith("$ ")):
            lines += [f"$ {command}", *self._run_command(command, variables).splitlines()]
        return "".join(f"{line}\n" for line in lines)

    def _run_command(self, command: str, variables: Path) -> str:
        here = command
        for port, free in self.ports.items():
            here = re.sub(rf"\b{port}\b", free, here)
        keep = f"status=$?; declare -p ETAG > {variables} 2>&-; exit $status"
        done = subprocess.run(
            ["bash", "-c", f". {variables}; {here}\n{keep}"],
            cwd=CHECKOUT,
            env=self.site.environment | {"NO_COLOR": "1", "COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        if "curl " in here:
            # The feed server writes pulls down once a second; what is shown next tells of them.
            self.pulls += 1
            wait_until(self._pulls_are_recorded, what="the pulls are recorded")
        shown = done.stdout
        for port, free in self.ports.items():
            shown = re.sub(rf"\b{free}\b", port, shown)
        return shown


def steady(text: str) -> str:
    """Return a page without what differs from run to run."""
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def run_page(folder: Path, *, ports: dict[str, str]) -> tuple[str, str]:
    """Run the quickstart over `folder`; return the page as it is and as it came out."""
    dns = folder / "dns"
    shutil.copytree(CHECKOUT / "docs" / "quickstart", dns)
    os.chmod(dns, 0o755)  # noqa: PTH101, S103  named drops its rights
    config = (dns / "named.conf").read_text()
    config = config.replace("port 5353", f"port {ports['5353']}").replace(
        "docs/quickstart", str(dns)
    )
    (dns / "named.conf").write_text(config)
    # Feeds are served from a folder of the run's own; the page's port is the one in its URLs.
    binds = {
        "TSCM_FEED_BIND": f"127.0.0.1:{ports['8001']}",
        "TSCM_SYSLOG_BIND": f"127.0.0.1:{ports['514']}",
    }
    with appliance(folder / "data", **binds) as site:
        site.start("feeds")
        site.start("receiver")
        server = subprocess.Popen(
            [named(), "-f", "-c", str(dns / "named.conf")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_until(lambda: _answers(ports["5353"]), what="the DNS server answers")
            wait_until(lambda: _serves(ports["8001"]), what="the feed server answers")
            wait_until(lambda: _listens(site), what="the receiver says where it listens")
            page = Page(site, ports)
            return page.text, page.run()
        finally:
            server.terminate()
            server.wait(timeout=10)


def _answers(port: str) -> bool:
    asked = ["dig", "+tcp", "+short", "+time=1", "+tries=1", "@127.0.0.1", "-p", port]
    done = subprocess.run(
        [*asked, "basic.threatstop.local"], capture_output=True, timeout=10, check=False
    )
    return b"64.87.3.133" in done.stdout


def _serves(port: str) -> bool:
    asked = ["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/"]
    return subprocess.run(asked, timeout=10, check=False).returncode == 0


def _listens(site: Appliance) -> bool:
    return site.row("SELECT 1 FROM logs_receiver WHERE listeners <> '[]'") is not None


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        usual = {"5353": "5353", "8001": "8001", "514": "5514"}  # below 1024 only root may listen
        PAGE.write_text(run_page(Path(scratch), ports=usual)[1])
    sys.exit(0)
