"""P16: a refresh in which nothing changed, beside a full one of the same list.

A list on a web server that answers 304, a zone at the serial that is held, and a file that nobody
touched. Ours on both sides: retrieve and compile, in a child process, warm like a worker: `python
-m bench.p16_unchanged KIND SETTINGS` in the environment of an appliance prints the two medians.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench import appliance
from bench.rows import Row, RowSkipped
from bench.zones import READY_WITHIN, made_up_addresses
from tests.fakes.bind import Bind, BindMissing, write_zone
from tests.fakes.tsig import TsigKey
from tests.fakes.webserver import Reply, Request, WebServer

FULL, UNCHANGED = 3, 15  # rounds
TIMEOUT = 600  # seconds for any one process
ORIGIN = "list.example"
ETAG = '"held"'
ADDRESSES_A_NAME = 1000


def measure(*, size: int) -> list[Row]:
    """Return a row for each kind of source that can tell what did not change."""
    with tempfile.TemporaryDirectory(prefix="bench-p16-") as folder:
        octets = made_up_addresses(size).astype(">u4").view(np.uint8).reshape(-1, 4).tolist()
        addresses = [f"{a}.{b}.{c}.{d}" for a, b, c, d in octets]
        return [
            _row(name, how, kind, offered, addresses, Path(folder) / kind)
            for name, how, kind, offered in (
                ("P16", "a 304", "http", _web),
                ("P16zone", "the same serial", "zone", _zone),
                ("P16file", "a file untouched", "file", _file),
            )
        ]


def _row(
    name: str, how: str, kind: str, offered: Callable[..., Any], addresses: list[str], folder: Path
) -> Row:
    data_dir = folder / "data"
    (data_dir / "lists").mkdir(parents=True)
    with offered(addresses, folder) as settings:
        full, unchanged = appliance.ask_child(
            "bench.p16_unchanged", kind, json.dumps(settings), data_dir=data_dir, timeout=TIMEOUT
        )
    return Row(
        name=name,
        work=f"refresh of {len(addresses):,} addresses that did not change: {how}",
        peer="full refresh",
        peer_value=full,
        our_value=unchanged,
        unit="s",
        goal="≤ 0.05",
        note=f"medians of {FULL} and {UNCHANGED}",
    )


@contextmanager
def _web(addresses: list[str], folder: Path) -> Iterator[Mapping[str, object]]:  # noqa: ARG001
    body = "".join(f"{one}\n" for one in addresses).encode()

    def answer(request: Request) -> Reply:
        is_held = request.headers.get("if-none-match") == ETAG
        return Reply(b"" if is_held else body, 304 if is_held else 200, {"ETag": ETAG})

    with WebServer(answer) as server:
        yield {"url": server.url(), "allow_internal": ["127.0.0.1"]}


@contextmanager
def _zone(addresses: list[str], folder: Path) -> Iterator[Mapping[str, object]]:
    key = TsigKey()
    lines = (f"a{place // ADDRESSES_A_NAME} A {one}" for place, one in enumerate(addresses))
    zone = write_zone(folder / "zone", lines)
    try:
        bind = Bind({ORIGIN: zone}, ready_within=READY_WITHIN, keys=[key])
    except BindMissing as error:
        raise RowSkipped(str(error)) from error
    with bind:
        yield {"name": ORIGIN, "servers": [bind.server], **key.settings}


@contextmanager
def _file(addresses: list[str], folder: Path) -> Iterator[Mapping[str, object]]:
    path = folder / "data" / "lists" / "list.txt"
    path.write_text("".join(f"{one}\n" for one in addresses), encoding="ascii")
    yield {"path": str(path)}


def _child(kind: str, settings: Mapping[str, object]) -> None:
    """Refresh once to be warm, then in full and unchanged for the figures."""
    appliance.set_up()
    from django.utils import timezone

    from policies.services import Member, create_policy, create_source
    from policies.states import Role

    now = timezone.now()
    source = create_source(name="bench", kind=kind, settings=settings, actor="bench", now=now)
    create_policy(name="bench", members=[Member(source, Role.BLOCK)], actor="bench", now=now)
    _refresh("changed")
    full = []
    for _ in range(FULL):
        appliance.forget()
        full.append(_refresh("changed"))
    unchanged = [_refresh("unchanged") for _ in range(UNCHANGED)]
    print(json.dumps([statistics.median(full), statistics.median(unchanged)]), flush=True)


def _refresh(expected: str) -> float:
    from django.utils import timezone

    from policies.models import Policy
    from policies.services import refresh_policy

    policy = Policy.objects.get()
    began = time.perf_counter()
    report = refresh_policy(policy=policy, clock=timezone.now)
    seconds = time.perf_counter() - began
    (retrieval,) = report.retrievals
    has_published = report.compiled.snapshot is not None
    if retrieval.outcome != expected or has_published != (expected == "changed"):
        raise RuntimeError(f"P16: it was to be {expected}: {retrieval} {retrieval.error} {report}")
    return seconds


if __name__ == "__main__":
    _child(sys.argv[1], json.loads(sys.argv[2]))
