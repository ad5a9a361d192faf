"""Write down what was done in a kernel, and what it holds since."""

from __future__ import annotations

from datetime import datetime, timedelta

from enforcement.models import Application
from enforcement.services.inquiries import prune_inquiries

APPLICATIONS_KEPT = timedelta(days=90)
APPLICATIONS_MOST = 10_000  # of one gateway


def prune(*, now: datetime) -> int:
    """Delete old applications and questions; return how many."""
    old = Application.objects.filter(at__lt=now - APPLICATIONS_KEPT).delete()[0]
    return old + prune_inquiries(now=now)
