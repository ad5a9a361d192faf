"""What a policy may never do, and what it may never touch, as the values that a compile takes."""

from __future__ import annotations

from netsets.guard import Guard
from policies.models import Policy


def guard_of(policy: Policy) -> Guard:
    """Return the policy's guard as the value the compile takes."""
    return Guard(
        widest4=policy.widest4,
        widest6=policy.widest6,
        max_share=float(policy.max_share) / 100,
        shrink_limit=policy.shrink_limit / 100,
        growth_limit=policy.growth_limit / 100,
        keep_documentation=policy.keep_documentation,
    )
