"""A real PostgreSQL of the test's own, on a unix socket in its folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BINARIES = Path("/usr/lib/postgresql")


class PostgresMissing(Exception):
    """No PostgreSQL server is installed."""


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a server in `folder` and give the URL of an empty database; raises PostgresMissing."""
    found = sorted(_BINARIES.glob("*/bin/postgres"))
    if not found:
        raise PostgresMissing("PostgreSQL is not installed (apt-get install postgresql)")
    bin_dir, data = found[-1].parent, folder / "pg"
    # PostgreSQL refuses to run as root.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder.mkdir(parents=True, exist_ok=True)
    if as_user:
        shutil.chown(folder, "postgres")
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)

    def run(*command: str) -> None:
        done = subprocess.run(
            [*as_user, *command],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout

    run(str(bin_dir / "initdb"), "-D", str(data), "-A", "trust", "-U", "tscm", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = str(bin_dir / "pg_ctl")
    run(control, "-D", str(data), "-w", "-l", str(folder / "pg.log"), "-o", options, "start")
    try:
        run(str(bin_dir / "createdb"), "-h", str(folder), "-U", "tscm", "tscm")
        yield f"postgresql://tscm@/tscm?host={folder}"
    finally:
        run(control, "-D", str(data), "-w", "-m", "immediate", "stop")
