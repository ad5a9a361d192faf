"""Keep the details of a failure nobody expected, for whoever mends it."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from pathlib import Path


def log_file() -> Path:
    """Return where this command line logs; raises whatever the site's settings raise."""
    from django.conf import settings

    folder: Path = settings.ENVIRONMENT.log_dir
    return folder / "tsadmin.log"


def keep(error: Exception) -> Path | None:
    """Append the traceback to the log and return its path, None when it cannot be written."""
    moment = datetime.now(UTC)
    lines = traceback.format_exception(error)
    try:
        path = log_file()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{moment:%Y-%m-%d %H:%M:%S} ERROR tsadmin\n{''.join(lines)}")
    except Exception:  # noqa: BLE001  the way to the log may be the very thing that failed
        return None
    return path
