"""One line of a text made from another layout."""

from __future__ import annotations

# Begins a line that no reader takes for an address, whatever stands behind it.
REFUSED = "? "


def entry_line(text: str) -> str:
    """Return `text` as one line of its own: never two entries, never a part of one."""
    return " ".join(text.split())


def refused_line(why: str) -> str:
    """Return a line that is counted as a reject and shows why."""
    return REFUSED + entry_line(why)
