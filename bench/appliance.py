"""An appliance in a folder of its own, for the rows that need a database and a store."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def environment(data_dir: Path) -> dict[str, str]:
    """Return an environment with nothing of the caller's appliance but this data folder."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TSCM_")}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "tscm_site.settings",
        "TSCM_DATA_DIR": str(data_dir),
        "TSCM_BROKER_URL": "redis://127.0.0.1:1/0",  # nobody listens, and nobody is asked
    }


def ask_child(module: str, *arguments: object, data_dir: Path, timeout: float) -> Any:
    """Return what a module prints as JSON, run as a process of the appliance in this data folder.

    It has so many seconds. Raises CalledProcessError and TimeoutExpired.
    """
    printed = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=environment(data_dir),
        stdout=subprocess.PIPE,
        check=True,
        timeout=timeout,
    ).stdout
    return json.loads(printed)


def set_up() -> None:
    """Make this process one of the appliance that its environment names, with its tables."""
    import django
    from django.core.management import call_command

    django.setup()
    logging.getLogger().setLevel(logging.WARNING)  # one line a row, and what goes wrong
    call_command("migrate", interactive=False, verbosity=0)


def forget() -> None:
    """Remove what was retrieved and published, rows and files, so that all of it is done again."""
    from django.core.files.storage import storages

    from policies.models import Policy, Retrieval, Snapshot, Source

    Policy.objects.update(current=None, inputs_digest="", last_number=0)
    Snapshot.objects.all().delete()
    Retrieval.objects.all().delete()
    Source.objects.update(
        list_digest="", list_prefixes=0, entries_digest="", ledger_digest="", version="",
        payload_digest="", whole_at=None,
    )  # fmt: skip
    for store in ("sets", "feeds"):
        shutil.rmtree(storages[store].path(""))


def peak_megabytes() -> float:
    """Return the most memory this process ever held."""
    # Not getrusage: its ru_maxrss lives through exec and would tell the size of our parent.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1024
