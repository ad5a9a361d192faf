"""What kernel tests stand on; they run as root in a network namespace of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.network import Lab, lab


@pytest.fixture
def network() -> Iterator[Lab]:
    """A client, this gateway and a server."""
    with lab() as made:
        yield made
