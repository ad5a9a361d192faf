"""An appliance's settings, for tests in which nobody waits: what is due is looked for at once."""

from __future__ import annotations

import os
import time

from tscm_site.schedule import SCHEDULE
from tscm_site.settings import *  # noqa: F403  all of them

_SECONDS = {
    "ask the portals that are due": 1.0,
    "publish what a portal lays down": 1.0,
    "read what devices report": 2.0,
    "nudge the enforcers": 2.0,
    "send what is due": 2.0,
}
for _name, _entry in SCHEDULE.items():
    _entry["schedule"] = _SECONDS.get(_name, _entry["schedule"])
    # A machine that is busy with other tests as well may come to a job late.
    _entry["options"]["expires"] = 30.0

# A device whose clock is wrong signs with the moment that it takes for now.
_clock, _ahead = time.time, float(os.environ.get("TESTS_SECONDS_AHEAD", "0"))
if _ahead:
    time.time = lambda: _clock() + _ahead
