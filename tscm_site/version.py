"""The version, told in one place: the newest heading of CHANGELOG.md."""

from __future__ import annotations

import re
from pathlib import Path


def _read(changelog: Path) -> str:
    """Return the version of the first heading, such as `## 0.1.0 (2026-11-21)`."""
    found = re.search(r"^## (\d+\.\d+\.\d+)", changelog.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        message = f"{changelog} has no heading with a version, such as '## 0.1.0'"
        raise RuntimeError(message)
    return found[1]


VERSION = _read(Path(__file__).resolve().parent.parent / "CHANGELOG.md")
