"""What is said of the settings of each kind is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from policies.services.sources import build_engine
from policies.sources import SOURCES
from policies.sources.examples import EXAMPLES, settings_lines


def test_each_kind_has_an_example_and_each_example_a_kind() -> None:
    assert EXAMPLES.keys() == SOURCES.keys()


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_the_example_of_each_kind_builds_a_source(kind: str, settings: Settings) -> None:
    settings.TSCM_LIST_FOLDERS = [Path("/srv/lists")]
    example, _ = EXAMPLES[kind]
    assert isinstance(build_engine(kind=kind, settings=example), SOURCES[kind])


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_every_secret_of_a_kind_is_named(kind: str) -> None:
    (line,) = list(settings_lines({kind: "this"}))[1:-1]
    assert not [name for name in SOURCES[kind].secrets if name not in line]
