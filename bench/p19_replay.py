"""P19: ten million connections of a month, tried on a million prefixes that the guard holds.

Four of ten connections were let through. The list in force has two fifths of the prefixes; what is
held drops a tenth of these and has the others beside, with networks that a quarter of all
connections are with: so a replay has much to tell. No peer has anything like it; the row stands
beside its limit. The same with a compile of what the sources have now is told apart. All is done in
a child process with an appliance of its own: `python -m bench.p19_replay EVENTS PREFIXES`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench import appliance
from bench.lists import prefixes4
from bench.rows import Row
from bench.timing import median_seconds
from netsets.cidr import Prefixes

TIMES = 3  # each; their median counts
TIMEOUT = 3600  # seconds
LIMIT = 3.0  # seconds
LET_THROUGH = 4  # of ten
SEED = 20_261_121
DEVICES = 1000  # as events tell
_HOUR = timedelta(hours=1)


def measure(*, size: int) -> Row:
    """Return the row of ten times `size` events and `size` prefixes."""
    with tempfile.TemporaryDirectory(prefix="bench-p19-") as folder:
        found: dict[str, Any] = appliance.ask_child(
            "bench.p19_replay", 10 * size, size, data_dir=Path(folder), timeout=TIMEOUT
        )
    return Row(
        name="P19",
        work=f"replay of {10 * size:,} events with {size:,} prefixes held",
        peer="limit",
        peer_value=LIMIT,
        our_value=found["held"],
        unit="s",
        goal=f"≤ {LIMIT}",
        note=f"{found['would_drop']:,} would be dropped, {found['would_pass']:,} would pass; with "
        f"a compile of what is there now {found['now']:.3f} s; processor {found['processor']:.1f} "
        f"s; peak {found['megabytes']:.0f} MB",
    )


def _child(events: int, prefixes: int) -> None:
    appliance.set_up()
    from bench.events import SINCE, UNTIL, fill
    from logs.reports.replay import read_replay, replay_policy
    from policies.models import Policy

    fill(events, let_through=LET_THROUGH)
    pk = _hold(prefixes, now=UNTIL)
    taken, reports = dict[str, float](), {}
    processor = 0.0
    for what in ("now", "held"):

        def run(what: str = what) -> None:
            policy = Policy.objects.select_related("current", "candidate").get(pk=pk)
            given = {
                "what": [what],
                "since": [SINCE.isoformat()],
                "until": [UNTIL.isoformat()],
                "against": ["in-force"],
            }
            question = read_replay(given, policy=policy, now=UNTIL, sees=None)
            reports[what] = replay_policy(question, now=UNTIL).replayed

        began = time.process_time()
        taken[what] = median_seconds(run, times=TIMES)
        processor = (time.process_time() - began) / TIMES
    found = reports["held"]
    if not found.would_drop.connections or not found.would_pass.connections:
        raise RuntimeError(f"P19: the replay has nothing to tell: {found}")
    figures = {
        **taken,
        "processor": processor,
        "would_drop": found.would_drop.connections,
        "would_pass": found.would_pass.connections,
        "megabytes": appliance.peak_megabytes(),
    }
    print(json.dumps(figures))


def _hold(size: int, *, now: datetime) -> int:
    """Make a policy that all devices follow and whose growth the guard holds; return its key."""
    from devices.services import add_device
    from policies.models import Policy, PolicySource, Source
    from policies.services import compile_policy_now
    from policies.states import PolicyState, Role

    small, large = _lists(size)
    source = Source.objects.create(name="list", kind="memory", due_at=now)
    policy = Policy.objects.create(name="bench", due_at=now)
    PolicySource.objects.create(policy=policy, source=source, role=Role.BLOCK)
    for number in range(1, DEVICES + 1):
        settings = {"device_id": f"tdid_{number:08x}", "management_ip": "192.0.2.250"}
        add_device(
            kind="firepower", nickname=f"fmc-{number}", settings=settings, policy=policy,
            actor="bench", now=now,
        )  # fmt: skip
    _bring(source.pk, small, at=now - 2 * _HOUR)
    compile_policy_now(policy_id=policy.pk, now=now - 2 * _HOUR)
    _bring(source.pk, large, at=now - _HOUR)
    report = compile_policy_now(policy_id=policy.pk, now=now - _HOUR)
    if report is None or report.state != PolicyState.HELD:
        raise RuntimeError(f"P19: nothing is held: {report}")
    return policy.pk


def _lists(size: int) -> tuple[Prefixes, Prefixes]:
    """Return the list in force and the one that is held: hosts anywhere, and networks of the
    strangers that events are with.
    """
    rng = np.random.default_rng(SEED)
    networks = (203 << 24) + (rng.permutation(1 << 16)[: 1 << 15].astype(np.uint32) << 8)
    hosts = prefixes4(rng, size - len(networks))
    first = np.concatenate((hosts.v4_first, networks.astype(np.uint32)))
    length = np.concatenate((hosts.v4_length, np.full(len(networks), 24, np.uint8)))
    order = rng.permutation(len(first))
    first, length = first[order], length[order]
    part = 2 * size // 5
    small = Prefixes(first[:part], length[:part], hosts.v6_first, hosts.v6_length)
    large = Prefixes(first[part // 10 :], length[part // 10 :], hosts.v6_first, hosts.v6_length)
    return small, large


def _bring(pk: int, prefixes: Prefixes, *, at: datetime) -> None:
    """Let a source have brought a list, as its retrieval keeps it."""
    from netsets.entries import from_prefixes
    from netsets.entries_codec import encode_entries
    from policies.models import Source
    from policies.store import put_blob, put_set

    entries = from_prefixes(prefixes)
    Source.objects.filter(pk=pk).update(
        list_digest=put_set(entries.addresses()), entries_digest=put_blob(encode_entries(entries)),
        list_entries=len(entries), list_prefixes=len(entries), retrieved_at=at, version=str(at),
    )  # fmt: skip


if __name__ == "__main__":
    _child(int(sys.argv[1]), int(sys.argv[2]))
