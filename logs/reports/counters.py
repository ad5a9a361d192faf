"""What the counters of a receiver mean, in plain words, and which of them tell of trouble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from policies.states import Tone


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one counter counts."""

    label: str
    sentence: str
    advice: str = ""  # what to do where it is not 0
    tone: Tone = "neutral"  # where it is not 0
    is_bytes: bool = False


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter as it stands."""

    name: str
    value: int
    meaning: Meaning

    @property
    def tone(self) -> Tone:
        """The tone it is shown in."""
        return self.meaning.tone if self.value else "neutral"

    @property
    def sentence(self) -> str:
        """What it means and, where it is not 0, what to do."""
        advice = self.meaning.advice if self.value else ""
        return f"{self.meaning.sentence} {advice}".strip()


# In the order in which they are shown: what came, what of it was lost, what was odd, levels.
MEANINGS: dict[str, Meaning] = {
    "messages": Meaning("Messages", "Told apart from each other, whoever sent them."),
    "bytes": Meaning("Bytes", "Of these messages.", is_bytes=True),
    "refused_lines": Meaning(
        "Refused lines",
        "From addresses that no device is known by.",
        "Look at the refused senders.",
        tone="warning",
    ),
    "kernel_drops": Meaning(
        "Kernel drops",
        "Datagrams that the kernel had no room for: they are lost, and nobody knows whose they "
        "were.",
        "Raise net.core.rmem_max (sysctl -w net.core.rmem_max=67108864) and restart the receiver, "
        "or have the senders use TCP.",
        tone="danger",
    ),
    "missed_records": Meaning(
        "Missed records",
        "The kernel wrote its log faster than it was read: they are lost.",
        "Set a lower log limit on the gateway's page, or start the kernel with a larger "
        "log_buf_len.",
        tone="danger",
    ),
    "cut": Meaning(
        "Cut",
        "Longer than is taken: the beginning is kept, and a mark says how much is missing.",
        "See what the sender puts into its lines.",
        tone="warning",
    ),
    "refused_connections": Meaning(
        "Refused connections",
        "Over the limit of open connections: closed at once.",
        "See who opens so many.",
        tone="warning",
    ),
    "failed_handshakes": Meaning(
        "Failed TLS handshakes",
        "The sender does not trust this certificate, has none of the right authority, or speaks no "
        "TLS.",
        "Compare the certificate with what the sender expects.",
        tone="warning",
    ),
    "sync_failures": Meaning(
        "Failed writes to disk",
        "The disk did not confirm that it holds what was written.",
        "Look at the disk at once.",
        tone="danger",
    ),
    "octet_counted": Meaning("Octet-counted", "With their length in front (RFC 6587)."),
    "resynchronised": Meaning(
        "Resynchronised",
        "Began like a length and was none: read to the end of the line instead.",
    ),
    "nul": Meaning("NUL bytes", "Ended a message, or stood inside one and were written as #000."),
    "newlines": Meaning(
        "Line ends inside", "Of a message: written as #012, so that it is one line."
    ),
    "run_together": Meaning("Run together", "IOS messages with nothing between them, told apart."),
    "empty": Meaning("Empty", "Nothing between two ends of line: left out."),
    "unterminated": Meaning(
        "Unterminated", "Ended with the connection, or after a pause: taken as they were."
    ),
    "connections": Meaning("Connections", "That were taken."),
    "open_connections": Meaning("Open connections", "Now."),
    "held_bytes": Meaning(
        "In memory", "Lines that the disk has not taken yet, now.", is_bytes=True
    ),
    "receive_bytes": Meaning(
        "Room for UDP",
        "That the kernel keeps for datagrams which nobody has read yet; net.core.rmem_max bounds "
        "it.",
        is_bytes=True,
    ),
    "free_bytes": Meaning("Free on disk", "Where logs are kept, now.", is_bytes=True),
}


def explained(counters: Mapping[str, int]) -> list[Counter]:
    """Return counters with what they mean; those that nothing is known of come last."""
    known = [Counter(name, counters[name], MEANINGS[name]) for name in MEANINGS if name in counters]
    others = sorted(set(counters) - set(MEANINGS))
    return [*known, *(Counter(name, counters[name], Meaning(name, "")) for name in others)]
