"""A process that forwards a spool until it is killed: `forward_process.py SPOOL CURSORS PORT`."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from pathlib import Path

from logs.spool.base import Place
from tests.logs.shippers.forwards import QUICK, forwarding, local

if __name__ == "__main__":
    spool, cursors, port = sys.argv[1:]
    pace = replace(QUICK, probation=0.05, save=0.02)
    with forwarding(Path(cursors), Place(Path(spool), "syslog"), local(int(port)), pace=pace):
        threading.Event().wait()
