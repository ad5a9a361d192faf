"""The beat's scheduler, which goes on when the clock is set back."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from celery.beat import PersistentScheduler

log = logging.getLogger(__name__)


class SteadyScheduler(PersistentScheduler):
    """Forgets runs in the future: stock beat would send nothing until the clock is there again.

    It keeps its last runs in a file, so that not even a new start would help. Each round is shown
    by the age of `run/beat.alive` beside that file, which is how others know that it goes on.
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
        self._show_alive()
        seconds: float = super().tick(*args, **options)
        return seconds

    def _show_alive(self) -> None:
        alive = Path(str(vars(self)["schedule_filename"])).with_name("run") / "beat.alive"
        try:
            alive.parent.mkdir(mode=0o700, exist_ok=True)
            alive.touch()
        except OSError as error:  # a full disk is no reason to send nothing
            log.warning("%s: cannot be touched (%s)", alive, error.strerror)
