"""What every kind of source must do, to be run over each of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

import pytest

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.sources import SOURCES
from policies.sources.base import Deadline, EmptyList, Source, SourceMisconfigured

SECONDS = 10.0


class SourceContract:
    """Subclass it, name the kind, and offer the two lists."""

    kind: str

    @abstractmethod
    def offered(self, *entries: str) -> AbstractContextManager[Mapping[str, object]]:
        """Offer a list of `entries` and give the settings that lead to it."""

    @pytest.fixture
    def offer(self) -> Iterator[Mapping[str, object]]:
        with self.offered("192.0.2.1", "2001:db8::1") as offer:
            yield offer

    @property
    def source(self) -> type[Source]:
        return SOURCES[self.kind]

    def test_retrieves_what_its_decoder_reads(self, offer: Mapping[str, object]) -> None:
        source = self.source.from_settings(offer)
        retrieved = source.retrieve(known=None, deadline=Deadline.after(SECONDS))
        assert retrieved is not None
        decoded = decode(retrieved)
        assert decoded.addresses == AddressSet.of("192.0.2.1", "2001:db8::1")
        assert decoded.entries == 2

    def test_retrieves_the_same_twice(self, offer: Mapping[str, object]) -> None:
        source = self.source.from_settings(offer)
        first, second = (
            source.retrieve(known=None, deadline=Deadline.after(SECONDS)) for _ in range(2)
        )
        assert first is not None
        assert second is not None
        assert decode(first).addresses == decode(second).addresses

    def test_tells_an_empty_list_from_a_failure(self) -> None:
        with self.offered() as offer:
            source = self.source.from_settings(offer)
            with pytest.raises(EmptyList):
                source.retrieve(known=None, deadline=Deadline.after(SECONDS))

    def test_refuses_a_setting_it_does_not_know(self, offer: Mapping[str, object]) -> None:
        with pytest.raises(SourceMisconfigured, match=r"'colour' is not a setting here"):
            self.source.from_settings({**offer, "colour": "red"})

    def test_refuses_to_be_built_from_nothing(self) -> None:
        with pytest.raises(SourceMisconfigured):
            self.source.from_settings({})

    def test_has_a_label_a_person_can_choose_by(self) -> None:
        assert self.source.label
        assert self.source.label not in {source.label for source in self._other_kinds()}

    def _other_kinds(self) -> list[type[Source]]:
        return [source for kind, source in SOURCES.items() if kind != self.kind]
