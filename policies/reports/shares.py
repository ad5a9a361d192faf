"""What each source adds to a policy: of its list, what no other of the policy's lists has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

from django.core.cache import cache

from netsets.cidr import AddressSet, union
from policies.models import Policy
from policies.reports.difference import Counts
from policies.store import map_set

PREFIXES_MOST = 2_000_000  # of all lists together; more would keep a page waiting
# Lists are named by what they hold, so what was found of them stays true.
_KEPT_SECONDS = 24 * 3600


class TooMuch(ValueError):
    """The lists of a policy are too long to be compared while somebody waits."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What only they have, by the id of a source, and those whose lists cannot be read."""

    only: Mapping[int, Counts]
    unreadable: frozenset[int]


def shares_of(policy: Policy) -> Shares:
    """Compare the lists that a policy takes for the same purpose. Raises TooMuch."""
    rows = policy.policy_sources.exclude(source__list_digest="").order_by("role", "source")
    columns = ("role", "source", "source__list_digest", "source__list_prefixes")
    found = list(rows.values_list(*columns))
    total = sum(prefixes for *_, prefixes in found)
    if total > PREFIXES_MOST:
        raise TooMuch(
            f"Its lists have {total:,} prefixes together, too many to be compared here: the page "
            f"of each source tells what it is worth."
        )
    told = [(role, pk, digest) for role, pk, digest, _ in found]
    key = f"shares:{sha256(repr(told).encode()).hexdigest()}"
    kept = cast(Shares | None, cache.get(key))
    if kept is None:
        kept = _compared(told)
        if not kept.unreadable:
            cache.set(key, kept, _KEPT_SECONDS)
    return kept


def _compared(told: Sequence[tuple[str, int, str]]) -> Shares:
    held: dict[int, AddressSet] = {}
    for _, pk, digest in told:
        try:
            held[pk] = map_set(digest)
        except (OSError, ValueError):
            continue
    only: dict[int, Counts] = {}
    for role in sorted({role for role, *_ in told}):
        mine = [pk for one, pk, _ in told if one == role and pk in held]
        alone = _alone([held[pk] for pk in mine])
        only |= {pk: Counts.of(part) for pk, part in zip(mine, alone, strict=True)}
    return Shares(only, frozenset(pk for _, pk, _ in told) - held.keys())


def _alone(sets: Sequence[AddressSet]) -> Iterator[AddressSet]:
    """Yield of each set what no other one has."""
    before, behind = AddressSet.empty(), [AddressSet.empty()]
    for one in reversed(sets):
        behind.append(union([behind[-1], one]))
    for one, rest in zip(sets, reversed(behind[:-1]), strict=True):
        yield one - union([before, rest])
        before = union([before, one])
