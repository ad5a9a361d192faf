from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.failures.site import Shelf, Site
from tests.fakes.webserver import WebServer


@pytest.fixture
def site(db: None, now: datetime) -> Iterator[Site]:
    shelf = Shelf()
    with WebServer(shelf) as web:
        yield Site(web, shelf, now)
