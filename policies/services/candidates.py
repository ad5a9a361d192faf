"""What the guard holds back: kept for a person to look at, approve or discard."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from django.db import transaction

from netsets.compile import Compiled
from policies.models import Candidate, Policy
from policies.services.compilation import compilation_columns
from policies.services.inputs import Gathered


def hold_candidate(
    *,
    policy: Policy,
    compiled: Compiled,
    gathered: Gathered,
    inputs_digest: str,
    now: datetime,
) -> Candidate:
    """Keep what the guard did not let pass; a policy has one candidate. Raises OSError."""
    columns = compilation_columns(
        policy=policy,
        compiled=compiled,
        block=compiled.block.prefixes(),
        allow=compiled.allow.prefixes(),
        manifest=[listed.manifest() for listed in gathered.lists],
        now=now,
    )
    findings = [asdict(one) | {"is_change": one.is_change} for one in compiled.findings]
    held = {
        **columns,
        "inputs_digest": inputs_digest,
        "findings": findings,
        "may_be_approved": compiled.is_change_only,
        "is_discarded": False,
    }
    with transaction.atomic():
        candidate, _ = Candidate.objects.update_or_create(policy=policy, defaults=held)
    return candidate


def drop_candidate(*, policy: Policy) -> None:
    """Forget what was held back: the policy has moved on."""
    Candidate.objects.filter(policy=policy).delete()
