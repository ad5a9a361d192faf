"""Every counter of a receiver is explained on its page and in the API."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from logs.receiver.kernel_receiver import KernelReceiver, Settings as KernelSettings
from logs.receiver.oddities import Tally
from logs.receiver.receiver import Receiver, Run, Settings
from logs.reports.counters import MEANINGS, explained

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_everything_that_receivers_count_has_a_meaning(tmp_path: Path) -> None:
    receiver = Receiver(Settings(tmp_path, ()), Run("tscm", NOW), clock=lambda: 0)
    kernel = KernelReceiver(KernelSettings("tscm", tmp_path, NOW), clock=lambda: 0)
    counted = {*receiver.report().counters, *kernel.report().counters}
    assert counted == set(MEANINGS)
    assert set(Tally.__slots__) <= counted


def test_a_counter_that_tells_of_trouble_says_what_to_do_once_it_is_not_0() -> None:
    [quiet] = explained({"kernel_drops": 0})
    [loud] = explained({"kernel_drops": 3})
    assert (quiet.tone, loud.tone) == ("neutral", "danger")
    assert "rmem_max" not in quiet.sentence
    assert "rmem_max" in loud.sentence


def test_what_a_newer_receiver_counts_is_shown_by_its_name() -> None:
    found = explained({"zebras": 2, "messages": 1})
    assert [(one.name, one.meaning.label) for one in found] == [
        ("messages", "Messages"),
        ("zebras", "zebras"),
    ]
