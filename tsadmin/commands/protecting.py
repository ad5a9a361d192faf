"""protect list, add, configure, remove: what no policy may block."""

from __future__ import annotations

from datetime import datetime

from policies import services
from policies.api.serializers import ProtectedAddressSerializer
from policies.models import ProtectedAddress
from policies.services.protected import clean_network
from policies.tasks import nudge
from tsadmin.errors import Refused
from tsadmin.screen import print_hint, print_json, print_line, print_table
from tsadmin.site import actor

COLUMNS = ("Network", "Reason", "Kept by", "Until")


def list_protected(*, as_json: bool) -> None:
    """Print every protected address that has a row."""
    rows = list(ProtectedAddress.objects.order_by("network", "id"))
    if as_json:
        print_json({"protected": [_json(row) for row in rows]})
        return
    if rows:
        print_table(COLUMNS, [_row(row) for row in rows])
    print_hint(
        "The appliance's own addresses, its gateways, its resolvers and the servers of its lists "
        "are protected without a row."
    )


def add_protected(*, network: str, reason: str, now: datetime, as_json: bool) -> None:
    """Protect an address or a network."""
    row = services.protect_network(network=network, reason=reason, actor=actor(), now=now)
    nudge()
    if as_json:
        print_json(_json(row))
    else:
        print_line(f"Protected {row.network}: no policy blocks it.", tone="success")
        print_hint("In effect within a minute.")


def change_reason(*, network: str, reason: str, now: datetime, as_json: bool) -> None:
    """Give another reason for what a person protected."""
    row = services.change_protected(
        row=_find(network), changes={"reason": reason}, actor=actor(), now=now
    )
    nudge()
    if as_json:
        print_json(_json(row))
    else:
        print_line(f"Changed the reason of {row.network}.", tone="success")


def remove_protected(*, network: str, now: datetime, as_json: bool) -> None:
    """Take away what a person, or a sign-in, had protected."""
    row = _find(network)
    services.unprotect_network(row=row, actor=actor(), now=now)
    nudge()
    others = ProtectedAddress.objects.filter(network=row.network).order_by("origin")
    kept_by = [_kept_by(other) for other in others]
    if as_json:
        print_json({"removed": row.network, "still_kept_by": kept_by})
        return
    print_line(f"Removed {row.network}.", tone="success")
    if kept_by:
        print_hint(f"It is protected all the same, by {', '.join(kept_by)}.")


def _find(network: str) -> ProtectedAddress:
    """Return the row of a network that a person may take away, if there is one."""
    wanted = clean_network(network)
    rows = list(ProtectedAddress.objects.filter(network=wanted).order_by("origin", "id"))
    if not rows:
        raise Refused(f"{wanted} is not protected by a row of its own; see 'tsadmin protect list'")
    # A person's own row, whose origin is empty, comes first of all.
    return next((row for row in rows if not row.origin or row.goes_by_itself), rows[0])


def _kept_by(row: ProtectedAddress) -> str:
    return row.origin or "a person"


def _row(row: ProtectedAddress) -> tuple[str, ...]:
    until = f"{row.until:%Y-%m-%d %H:%M}" if row.until else "for good"
    return (row.network, row.reason, _kept_by(row), until)


def _json(row: ProtectedAddress) -> dict[str, object]:
    return dict(ProtectedAddressSerializer(row).data)
