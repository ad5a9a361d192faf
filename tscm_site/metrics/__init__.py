"""What Prometheus is told: computed from rows and files each time, never from a process's memory.

So every worker gives the same answer, and a restart forgets nothing that is told. Moments are told
as they are (`…_timestamp_seconds`); the age of something is `time()` less its moment.
"""

from __future__ import annotations

from tscm_site.metrics.text import exposition

__all__ = ["exposition"]
