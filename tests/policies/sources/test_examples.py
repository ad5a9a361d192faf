"""Every kind of source is told by an example."""

from __future__ import annotations

from policies.sources import SOURCES
from policies.sources.examples import EXAMPLES, settings_help


def test_each_kind_has_an_example_and_each_example_a_kind() -> None:
    assert EXAMPLES.keys() == SOURCES.keys()


def test_the_help_names_each_kind_once() -> None:
    said = settings_help({name: kind.label for name, kind in SOURCES.items()})
    assert [said.count(f"{kind.label}: ") for kind in SOURCES.values()] == [1] * len(SOURCES)
