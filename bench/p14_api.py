"""P14, the whole way: why is an address blocked? Asked over the API, of twenty large lists.

One answer is all that `GET /api/v1/why/` does: the session, the rows of policy, sources and
devices, the files mapped anew, the searches, the JSON. It is asked in a child process with an
appliance of its own: `python -m bench.p14_api SIZE` prints one line of figures.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import appliance
from bench.lists import prefixes4
from bench.rows import Row
from netsets.cidr import AddressSet, union
from netsets.entries import Entries, from_prefixes
from netsets.entries_codec import encode_entries, encode_ledger
from netsets.ledger import Ledger, advance
from netsets.special import SPECIAL_PURPOSE

LISTS = 20
QUESTIONS = 400
LIMIT = 50.0  # ms
SEED = 20_240_229
TIMEOUT = 1800  # seconds


def measure(*, size: int) -> Row:
    """Return the row; half of the questions are about addresses that are listed."""
    with tempfile.TemporaryDirectory(prefix="bench-p14-api-") as folder:
        found = appliance.ask_child("bench.p14_api", size, data_dir=Path(folder), timeout=TIMEOUT)
    return Row(
        name="P14api",
        work=f"why by API, in {LISTS} lists of {size:,} IPv4 entries",
        peer="limit",
        peer_value=LIMIT,
        our_value=found["median"],
        unit="ms",
        goal="≤ 50",
        note=f"median of {QUESTIONS}, 99 % within {found['most']:.1f} ms, "
        f"{found['blocked']} blocked, a /8 in {found['wide']:.0f} ms; "
        f"peak {found['megabytes']:.0f} MB",
    )


def _child(size: int) -> None:
    appliance.set_up()
    from django.contrib.auth.models import User
    from django.test import Client

    asked = _publish(size)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(User.objects.create_superuser("bench"))

    def ask(address: str) -> tuple[float, bool]:
        began = time.perf_counter()
        answer = client.get("/api/v1/why/", {"address": address})
        milliseconds = (time.perf_counter() - began) * 1000
        if answer.status_code != 200:
            raise RuntimeError(f"P14api: {answer.status_code} {answer.content!r}")
        return milliseconds, answer.json()["blocked"] == "wholly"

    for address in asked:  # every page that will be read is warm
        ask(address)
    told = [ask(address) for address in asked]
    taken = sorted(milliseconds for milliseconds, _ in told)
    figures = {
        "median": statistics.median(taken),
        "most": taken[len(taken) * 99 // 100],
        "blocked": sum(blocked for _, blocked in told),
        "wide": statistics.median(ask("93.0.0.0/8")[0] for _ in range(5)),
        "megabytes": appliance.peak_megabytes(),
    }
    print(json.dumps(figures))


def _publish(size: int) -> list[str]:
    """Make a policy of twenty lists with a snapshot and a device; return what to ask for."""
    from django.utils import timezone

    from devices.models import Device
    from policies.models import Policy, PolicySource, Snapshot
    from policies.store import put_set

    now, rng = timezone.now(), np.random.default_rng(SEED)
    policy = Policy.objects.create(name="bench", due_at=now)
    manifest, sets, asked = [], list[AddressSet](), list[str]()
    for number in range(LISTS):
        entries = from_prefixes(prefixes4(rng, size))
        source = _source(f"list {number}", entries, addresses := entries.addresses())
        PolicySource.objects.create(policy=policy, source=source, role="block")
        manifest.append(
            {
                "source": source.pk, "name": source.name, "role": "block",
                "digest": source.list_digest, "entries": source.entries_digest,
            }
        )  # fmt: skip
        sets.append(addresses)
        places = rng.integers(0, len(entries), QUESTIONS // LISTS // 2).tolist()
        asked += [str(entries.page(place, 1)[0].span) for place in places]
    block = union(sets) - SPECIAL_PURPOSE
    digest = put_set(block)
    snapshot = Snapshot.objects.create(
        policy=policy, number=1, created_at=now, block_digest=digest, before_digest=digest,
        allow_digest=put_set(AddressSet.empty()), block_prefixes=len(block.v4), allow_prefixes=0,
        entries=len(block.v4), empty_list_address="192.0.2.1", numbers={}, cuts=[],
        sources=manifest,
    )  # fmt: skip
    Policy.objects.update(current=snapshot, last_number=1)
    Device.objects.create(
        nickname="fmc", kind="firepower", device_id="fmc", policy=policy,
        management_ip="192.0.2.250", created_at=now,
    )  # fmt: skip
    elsewhere = prefixes4(rng, QUESTIONS - len(asked)).page(0, QUESTIONS - len(asked))
    return [*asked, *(str(one).partition("/")[0] for one in elsewhere)]


def _source(name: str, entries: Entries, addresses: AddressSet) -> Any:
    from django.utils import timezone

    from policies.models import Source
    from policies.services.keep import minutes
    from policies.store import put_blob, put_set

    now = timezone.now()
    stored = encode_entries(entries)
    ledger = advance(Ledger.empty(), entries, tick=minutes(now), forget_before=0)
    return Source.objects.create(
        name=name,
        kind="memory",
        settings_key=name,
        due_at=now,
        retrieved_at=now,
        list_digest=put_set(addresses),
        entries_digest=put_blob(stored),
        ledger_digest=put_blob(encode_ledger(ledger, stored)),
    )


if __name__ == "__main__":
    _child(int(sys.argv[1]))
