"""Each dependency earns its place in docs/dependencies.md, and nothing else stands there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def required() -> set[str]:
    """Return the packages that the lists of requirements name."""
    lines = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("requirements*.in"))
    return set(re.findall(r"^[a-z][a-z0-9-]*", lines, re.MULTILINE))


def explained() -> set[str]:
    """Return the packages in the first column of the page's tables."""
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([a-z][^|]*?) \|", page, re.MULTILINE)
    return {name for cell in cells for name in cell.split(", ")} - {"package"}


def test_every_dependency_is_explained_and_nothing_else() -> None:
    assert explained() == required()
