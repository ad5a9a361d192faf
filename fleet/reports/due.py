"""What of a portal is due to be written, asked so that nothing to do costs one query."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from fleet.models import Entry, EntryKey, PolicyZone, PortalState, Publication

# What failed is tried again after this.
RETRY_AFTER = timedelta(minutes=1)


def is_publish_due(*, now: datetime) -> bool:
    """Tell whether there is anything to bring to the primary."""
    rows = PortalState.objects.filter(_may_try("retry_at", now=now))
    retired = EntryKey.objects.filter(retires_at__lte=now, retires_at__gt=OuterRef("configured_at"))
    is_due = (
        ~Q(changes=F("changes_served"))
        | Q(Exists(due_entries(now=now)))
        | Q(Exists(retired))
        | Q(Exists(renamed_publications()))
        | Q(Exists(stale_zones(now=now)))
        | ~Q(policy_zones=_zones_at_hand())
    )
    return rows.filter(is_due).exists()


def due_entries(*, now: datetime) -> QuerySet[Entry]:
    """Return the entries whose zones are to be written."""
    return Entry.objects.filter(due_at__lte=now)


def stale_zones(*, now: datetime) -> QuerySet[PolicyZone]:
    """Return the zones of policies that hold another snapshot than the current one.

    One that a form refused is not stale before there is another snapshot.
    """
    current = F("publication__policy__current__number")
    untried = Q(tried_number=None) | Q(tried_number__lt=current) | Q(tried_number__gt=current)
    zones = PolicyZone.objects.exclude(publication__policy__current=None)
    return zones.filter((untried & _may_try("due_at", now=now)) | Q(due_at__lte=now))


def renamed_publications() -> QuerySet[Publication]:
    """Return the publications whose policy has another name than devices are told."""
    return Publication.objects.exclude(told_name=F("policy__name")).order_by("id")


def _may_try(column: str, *, now: datetime) -> Q:
    """Return the rows that failed not at all, or long enough ago.

    A moment that lies further ahead than any retry was written before the clock was set back.
    """
    later = now + 2 * RETRY_AFTER
    return Q(**{column: None}) | Q(**{f"{column}__lte": now}) | Q(**{f"{column}__gt": later})


def _zones_at_hand() -> Coalesce:
    every = PolicyZone.objects.order_by().annotate(every=Value(1)).values("every")
    return Coalesce(Subquery(every.annotate(number=Count("pk")).values("number")), 0)
