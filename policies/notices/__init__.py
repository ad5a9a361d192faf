"""Ways to tell people and machines of alarms: a message in, what the other side said out."""

from __future__ import annotations
