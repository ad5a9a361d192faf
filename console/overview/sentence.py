"""The one sentence at the top of the start page: is every device protected?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from devices.health import HealthState
from devices.protection import Protection
from policies.states import Tone

NAMED = 3  # devices that the sentence names


@dataclass(frozen=True, slots=True)
class Headline:
    """The sentence, and the tone that it is said in."""

    tone: Tone
    sentence: str
    more: str = ""  # what else to know


def headline_of(judged: Sequence[Protection]) -> Headline:
    """Return whether every device is protected; a sample protects nobody and is not counted."""
    ours = [one for one in judged if not one.device.is_sample]
    if not ours:
        return Headline("info", "No firewall of yours is served yet.", "Only the sample is.")
    bare = [one for one in ours if not one.is_protected]
    if bare:
        return _not_all(bare, total=len(ours))
    troubled = [one for one in ours if one.health.state != HealthState.PROTECTED]
    more = f"To look at: {_named(troubled)}." if troubled else ""
    if len(ours) == 1:
        return Headline("success", f"{ours[0].device} is protected.", more)
    return Headline("success", f"All {len(ours):,} devices are protected.", more)


def _not_all(bare: Sequence[Protection], *, total: int) -> Headline:
    # Who only waits for the first pull is no emergency.
    tone: Tone = "warning" if all(one.health.tone != "danger" for one in bare) else "danger"
    if total == 1:
        one = bare[0]
        return Headline(
            tone, f"{one.device} is not protected: {one.health.label}.", one.health.detail
        )
    verb = "is" if len(bare) == 1 else "are"
    said = f"{len(bare):,} of {total:,} devices {verb} not protected: {_named(bare)}."
    return Headline(tone, said, bare[0].health.detail if len(bare) == 1 else "")


def _named(some: Sequence[Protection]) -> str:
    names = [f"{one.device} ({one.health.label})" for one in some[:NAMED]]
    left = len(some) - len(names)
    if left:
        return f"{', '.join(names)} and {left:,} more"
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
