"""What ipset refuses is told with what to do about it."""

from __future__ import annotations

import re

import pytest

from enforcement.kernel.ipset_errors import _MEANINGS, NotUnderstood, refusal

STEP = re.compile(r"\b(see|load|apply|destroy|enforce|take|needed|replaced)\b")


@pytest.mark.parametrize("number", [*_MEANINGS, 5, 9999])
def test_every_refusal_names_the_deed_the_cause_and_the_next_step(number: int) -> None:
    error = refusal("adding entries of set TSblocknet", number)
    deed, cause, *_step = str(error).split(": ")
    assert deed == "adding entries of set TSblocknet was refused"
    assert cause
    assert isinstance(error, NotUnderstood) or STEP.search(str(error).removeprefix(deed))
