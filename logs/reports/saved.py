"""Which saved reports a person may open."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet
from django.http import QueryDict

from devices.models import Device
from devices.reports.visible import device_ids
from logs.models import SavedReport
from logs.reports.asked import named_devices


def saved_reports(user: User | AnonymousUser) -> QuerySet[SavedReport]:
    """Return a person's own, and what others share; a superuser's are all.

    A shared one that names a device which he does not see is none for him: its question is told
    wherever it is.
    """
    if user.is_superuser:
        return SavedReport.objects.all()
    rows, seen = SavedReport.objects.seen_by(user), device_ids(user)
    if seen is None:
        return rows
    known = frozenset(Device.objects.filter(pk__in=seen).values_list("nickname", flat=True))
    others = rows.exclude(owner=user.pk).values_list("pk", "query")
    return rows.exclude(pk__in=[pk for pk, query in others if not _named(query) <= known])


def is_his(row: SavedReport, user: User | AnonymousUser) -> bool:
    """Tell whether a person may change a report, and is told who gets it and what failed."""
    return bool(user.is_superuser) or row.owner_id == user.pk


def _named(query: str) -> frozenset[str]:
    return named_devices(dict(QueryDict(query).lists()))
