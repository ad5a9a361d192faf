"""What has to be done, worked out before anything is done."""

from __future__ import annotations

from enforcement.kernel.base import Content, Plan, Rules, Way
from netsets.diff import diff_prefixes

# A larger part than this is faster filled anew, and the kernel's tables are then of the right size.
MOST_CHANGED = 0.1
# In one send, which must fit into the socket's buffer and which no signal cuts short.
MOST_ENTRIES = 200_000


def make_plan(current: Content | None, wanted: Content, rules: Rules) -> Plan:
    """Return the steps from one content to another; an enforcer adds what memory they need.

    `current` is None where the sets are not there; they are then filled anew.
    """
    held = current or Content.empty()
    block = diff_prefixes(held.block, wanted.block)
    allow = diff_prefixes(held.allow, wanted.allow)
    changes = sum(len(part) for part in (block.added, block.removed, allow.added, allow.removed))
    # Ranges, of which there are no more than entries: those would have to be worked out.
    entries = sum(len(one.v4) + len(one.v6) for one in (wanted.block, wanted.allow))
    if current is None or changes > min(MOST_ENTRIES, max(1000, MOST_CHANGED * entries)):
        way = Way.REPLACE
    else:
        way = Way.DIFFERENCE if changes else Way.NOTHING
    return Plan(current, wanted, rules, way, block, allow, memory=0)
