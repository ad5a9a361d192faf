"""One appliance and one feed server for all tests that leave them as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feeds.server import Appliance, FeedServer


@pytest.fixture(scope="session")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance in a data folder of its own."""
    appliance = Appliance(tmp_path_factory.mktemp("appliance"))
    yield appliance
    appliance.close()


@pytest.fixture(scope="session")
def server(appliance: Appliance) -> Iterator[FeedServer]:
    """A feed server that serves it."""
    server = FeedServer(appliance.data_dir)
    yield server
    server.stop()


@pytest.fixture
def own_appliance(tmp_path: Path) -> Iterator[Appliance]:
    """An appliance that a test may break."""
    appliance = Appliance(tmp_path)
    yield appliance
    appliance.close()


@pytest.fixture(scope="session")
def device(appliance: Appliance) -> str:
    """The ID of a device with feeds that no test changes."""
    return appliance.add(
        block=["20.0.0.0/16", "21.1.1.1", "2a00:1:2::/48"], allow=["20.0.7.0/24", "22.0.0.1"]
    )
