"""Whether there is memory for what is to be loaded."""

from __future__ import annotations

import pytest

from enforcement.kernel.errors import EnforceRefused
from enforcement.kernel.room import available_memory, refuse_beyond

GIB = 1 << 30


def test_half_of_what_is_available_may_be_taken() -> None:
    refuse_beyond(2 * GIB, needed=GIB)


def test_more_is_refused_with_both_numbers_and_what_to_do() -> None:
    with pytest.raises(EnforceRefused, match=r"1,025 MiB .* 1,024 MiB.*shorten the list"):
        refuse_beyond(2 * GIB, needed=GIB + (1 << 20))


def test_this_machine_tells_how_much_is_available() -> None:
    assert available_memory() > 1 << 20
