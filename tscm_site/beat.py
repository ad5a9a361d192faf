"""The beat's scheduler, which goes on when the clock is set back."""

from __future__ import annotations

import logging
from typing import Any

from celery.beat import PersistentScheduler

log = logging.getLogger(__name__)


class SteadyScheduler(PersistentScheduler):
    """Forgets runs in the future: stock beat would send nothing until the clock is there again.

    It keeps its last runs in a file, so that not even a new start would help.
    """

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due; return the seconds until the next look."""
        now = self.app.now()
        entries = self.schedule.values()
        ahead = [entry for entry in entries if entry.last_run_at and entry.last_run_at > now]
        if ahead:
            log.warning("the clock was set back; %d schedules start anew", len(ahead))
            for entry in ahead:
                entry.last_run_at = now
            self._heap = None  # it is ordered by the moments before
        seconds: float = super().tick(*args, **options)
        return seconds
