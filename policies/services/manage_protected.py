"""Make, change and delete the protected addresses that a person writes.

    protect_network(*, network, reason, actor, now) -> ProtectedAddress
    change_protected(*, row, changes, actor, now) -> ProtectedAddress
    unprotect_network(*, row, actor, now) -> None

Everything raises Refused and then nothing was changed. Every policy is left due.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from policies.models import ProtectedAddress
from policies.services.changes import record_change
from policies.services.protected import AddressRefused, clean_network, make_policies_due
from policies.services.rows import InUse, Refused, check_columns, save_row, set_columns

PROTECTED_COLUMNS = ("network", "reason")


def protect_network(*, network: str, reason: str, actor: str, now: datetime) -> ProtectedAddress:
    """Keep an address or network out of every block list; every policy is due."""
    row = ProtectedAddress()
    set_columns(row, {"network": network, "reason": reason}, known=PROTECTED_COLUMNS)
    _prepare(row)
    with transaction.atomic():
        save_row(row)
        make_policies_due(now=now)
        record_change(
            actor=actor, verb="protect", subject=_subject(row), now=now,
            after=_columns(row),
        )  # fmt: skip
    return row


def change_protected(
    *, row: ProtectedAddress, changes: Mapping[str, object], actor: str, now: datetime
) -> ProtectedAddress:
    """Change a protected address that a person wrote."""
    _refuse_kept(row)
    before = _columns(row)
    set_columns(row, changes, known=PROTECTED_COLUMNS)
    _prepare(row)
    with transaction.atomic():
        save_row(row, update_fields=list(changes))
        make_policies_due(now=now)
        record_change(
            actor=actor, verb="change", subject=_subject(row), now=now,
            before=before, after=_columns(row),
        )  # fmt: skip
    return row


def unprotect_network(*, row: ProtectedAddress, actor: str, now: datetime) -> None:
    """Let policies block an address again that a person, or a sign-in, had protected."""
    if not row.goes_by_itself:
        _refuse_kept(row)
    before = _columns(row)
    with transaction.atomic():
        row.delete()
        make_policies_due(now=now)
        record_change(
            actor=actor, verb="unprotect", subject=_subject(row), now=now,
            before=before,
        )  # fmt: skip


def _prepare(row: ProtectedAddress) -> None:
    try:
        row.network = clean_network(row.network)
    except AddressRefused as error:
        raise Refused(str(error), setting="network") from error
    check_columns(row, PROTECTED_COLUMNS)
    if ProtectedAddress.objects.filter(network=row.network, origin="").exclude(pk=row.pk).exists():
        raise Refused(f"{row.network} is protected already", setting="network")


def _refuse_kept(row: ProtectedAddress) -> None:
    if row.origin:
        raise InUse(f"{row.network} is kept protected by {row.origin}; change it there")


def _columns(row: ProtectedAddress) -> dict[str, object]:
    return {name: getattr(row, name) for name in PROTECTED_COLUMNS}


def _subject(row: ProtectedAddress) -> str:
    return f"address {row.network}"[:200]
