"""An appliance in a folder of its own, for the rows that need a database and a store."""

from __future__ import annotations

import logging
import os
from pathlib import Path


def environment(data_dir: Path) -> dict[str, str]:
    """Return an environment with nothing of the caller's appliance but this data folder."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TSCM_")}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "tscm_site.settings",
        "TSCM_DATA_DIR": str(data_dir),
        "TSCM_BROKER_URL": "redis://127.0.0.1:1/0",  # nobody listens, and nobody is asked
    }


def set_up() -> None:
    """Make this process one of the appliance that its environment names, with its tables."""
    import django
    from django.core.management import call_command

    django.setup()
    logging.getLogger().setLevel(logging.WARNING)  # one line a row, and what goes wrong
    call_command("migrate", interactive=False, verbosity=0)


def peak_megabytes() -> float:
    """Return the most memory this process ever held."""
    # Not getrusage: its ru_maxrss lives through exec and would tell the size of our parent.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1024
