"""What a policy may never do and never touch, as the values that a compile takes."""

from __future__ import annotations

from dataclasses import dataclass

from netsets.cidr import AddressSet
from netsets.critical import CRITICAL, critical_services
from netsets.cuts import Labelled
from netsets.guard import Guard
from netsets.policy_tests import Outcome, PolicyTest, run_tests
from policies.models import Policy
from policies.services.protected import protected_items
from policies.store import map_set


@dataclass(frozen=True, slots=True)
class Limits:
    """A policy's guard, what no list of it may touch, and what must hold before a publish."""

    guard: Guard
    protected: tuple[Labelled, ...]
    critical: tuple[Labelled, ...]
    tests: tuple[PolicyTest, ...]


def guard_of(policy: Policy) -> Guard:
    """Return the policy's guard; raises ValueError for a limit that means nothing."""
    return Guard(
        widest4=policy.widest4,
        widest6=policy.widest6,
        max_share=float(policy.max_share) / 100,
        max_rejects=policy.reject_limit / 100,
        shrink_limit=policy.shrink_limit / 100,
        growth_limit=policy.growth_limit / 100,
        special="keep" if policy.keep_special else "cut",
        keep_documentation=policy.keep_documentation,
    )


def limits_of(policy: Policy) -> Limits:
    """Return everything that holds a policy back.

    Raises OSError and ValueError where what is protected cannot be told.
    """
    return Limits(guard_of(policy), protected_items(), _critical(policy), _tests(policy))


def try_tests(policy: Policy) -> tuple[Outcome, ...]:
    """Return how each test of a policy ends with the block list in force; () where there is none.

    Raises OSError and ValueError where that list cannot be read.
    """
    if policy.current is None:
        return ()
    return run_tests(map_set(policy.current.block_digest), _tests(policy))


def _critical(policy: Policy) -> tuple[Labelled, ...]:
    if not policy.protect_critical:
        return ()
    return critical_services([group for group in CRITICAL if group not in policy.critical_except])


def _tests(policy: Policy) -> tuple[PolicyTest, ...]:
    return tuple(
        PolicyTest(
            expect="blocked" if row.expect == "blocked" else "not-blocked",
            addresses=AddressSet.of(row.network),
            text=row.network,
            note=row.note,
        )
        for row in policy.tests.order_by("network", "id")
    )
