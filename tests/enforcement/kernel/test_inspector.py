"""The inspector's child process, where it does not do what it should."""

from __future__ import annotations

import sys

import pytest

from enforcement.kernel import inspector
from enforcement.kernel.errors import EnforceUnavailable


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("/bin/false", "the inspector ended with 1"),
        ("/bin/echo", "the inspector cannot be understood"),
        ("/bin/none", "/bin/none is not installed"),
    ],
)
def test_a_child_that_does_not_come_back_with_a_table_is_told_of(
    monkeypatch: pytest.MonkeyPatch, program: str, told: str
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(EnforceUnavailable, match=told):
        inspector.inspect(4)
