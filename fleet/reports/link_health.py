"""How a link to a portal does, in a word and a sentence: for pages, API and command line."""

from __future__ import annotations

from fleet.models import Link
from policies.states import Told, Toned


class LinkState(Toned):
    """How the last question to a portal ended, worst first."""

    FAILING = "failing", "danger", "portal not reached"
    REFUSED = "refused", "warning", "not all settings in force"
    UNTOLD = "untold", "warning", "status not reported"
    OVERRIDDEN = "overridden", "info", "linked, with overrides"
    CURRENT = "current", "success", "linked"


class LinkHealth(Told[LinkState]):
    """How a link does."""


def link_health(link: Link) -> LinkHealth:
    """Return the most serious thing to say about a link."""
    if link.failures:
        return LinkHealth(LinkState.FAILING, f"{link.error} {_since(link)}")
    if link.refused:
        return LinkHealth(LinkState.REFUSED, " ".join(link.refused))
    if link.report_error:
        return LinkHealth(LinkState.UNTOLD, link.report_error)
    if link.overrides:
        names = ", ".join(sorted(link.overrides))
        return LinkHealth(LinkState.OVERRIDDEN, f"Set here instead: {names}.")
    return LinkHealth(LinkState.CURRENT, f"Its settings come from {link.portal}.")


def _since(link: Link) -> str:
    if link.reached_at is None:
        return ""
    return (
        f"It answered well last {link.reached_at:%Y-%m-%d %H:%M} UTC; the settings of then stay in "
        f"force."
    )
