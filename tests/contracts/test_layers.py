"""The layout holds: imports go down only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LINTER = Path(sys.executable).with_name("lint-imports")


def test_imports_go_down_only() -> None:
    # A process of its own: within this one it would silence every logger that there is.
    command = (str(LINTER), "--no-cache")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
