"""Contents as lists have them, small and odd ones too, from a seed or from Hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from enforcement.kernel.base import Content, Plan, Rules, Way
from enforcement.kernel.plan import make_plan
from netsets.cidr import AddressSet, from_prefixes4, from_prefixes6, union

# Lengths meet at both ends: halves of everything, and single addresses.
_PREFIXES4 = st.tuples(
    st.just(0) | st.integers(0, (1 << 32) - 1), st.sampled_from((0, 1, 2, 8, 24, 31, 32))
)
_PREFIXES6 = st.tuples(
    st.just(0) | st.integers(0, (1 << 128) - 1), st.sampled_from((0, 1, 2, 32, 64, 65, 127, 128))
)


def content(block: tuple[str, ...] = (), allow: tuple[str, ...] = ()) -> Content:
    """Return the content of these entries."""
    return Content(AddressSet.of(*block), AddressSet.of(*allow))


def random_addresses(rng: np.random.Generator, size: int) -> AddressSet:
    """Return so many prefixes of each family, or somewhat fewer, most of them single addresses."""
    length4 = rng.choice([32, 32, 32, 31, 24, 20], size).astype(np.uint8)
    length6 = rng.choice([128, 128, 128, 127, 64, 33], size).astype(np.uint8)
    first4 = rng.integers(0, 1 << 32, size).astype(np.uint32)
    first6 = rng.integers(0, 1 << 64, (size, 2), dtype=np.uint64)
    return union((from_prefixes4(first4, length4), from_prefixes6(first6, length6)))


def random_content(rng: np.random.Generator, size: int) -> Content:
    """Return lists of which the allow list is a tenth."""
    return Content(random_addresses(rng, size), random_addresses(rng, size // 10))


@st.composite
def address_sets(draw: st.DrawFn) -> AddressSet:
    """Draw a small set of both families."""
    four = draw(st.lists(_PREFIXES4, max_size=8))
    six = draw(st.lists(_PREFIXES6, max_size=8))
    words = [(number >> 64, number & (1 << 64) - 1) for number, _ in six]
    return union(
        (
            from_prefixes4(
                np.array([first for first, _ in four], np.uint32),
                np.array([length for _, length in four], np.uint8),
            ),
            from_prefixes6(
                np.array(words, np.uint64).reshape(-1, 2),
                np.array([length for _, length in six], np.uint8),
            ),
        )
    )


def replacement(wanted: Content, *, current: Content | None = None) -> Plan:
    """Return the plan that fills the sets anew."""
    made = make_plan(current, wanted, Rules())
    return Plan(current, wanted, Rules(), Way.REPLACE, made.block, made.allow, 0)


def difference(current: Content, wanted: Content) -> Plan:
    """Return the plan that changes the live sets, however much it is."""
    made = make_plan(current, wanted, Rules())
    return Plan(current, wanted, Rules(), Way.DIFFERENCE, made.block, made.allow, 0)
