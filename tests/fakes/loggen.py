"""syslog-ng's loggen, which sends very many numbered lines.

Debian has it in syslog-ng-core, which cannot be installed beside rsyslog: deploy/setup.sh takes the
program out of the package.
"""

from __future__ import annotations

import os
import subprocess

from tests.fakes.appliance import CHECKOUT
from tests.fakes.foreground import NotInstalled

_PREFIX = CHECKOUT / ".venv" / "share" / "loggen" / "usr"


def loggen(*options: str, port: int) -> None:
    """Send to a port of this machine, and return when all is sent."""
    program = _PREFIX / "bin" / "loggen"
    if not program.exists():
        raise NotInstalled("loggen is not there (deploy/setup.sh test)")
    done = subprocess.run(
        [str(program), *options, "127.0.0.1", str(port)],
        env={
            **os.environ,
            "SYSLOGNG_PREFIX": str(_PREFIX),
            "LD_LIBRARY_PATH": str(_PREFIX / "lib" / "syslog-ng"),
        },
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    if "error while loading shared libraries" in done.stderr:
        raise NotInstalled(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr, done.stderr
