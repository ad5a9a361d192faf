"""Rows that need a kernel of their own: each is measured in a network namespace that ends with it.

`python -m bench.kernel MODULE SIZE` measures one and prints it as JSON; it is started by `inside`.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from bench.rows import Row, RowSkipped
from enforcement.kernel.base import Content, Plan, Rules
from enforcement.kernel.ipset import IpsetSets
from enforcement.kernel.ipset_restore import lines
from enforcement.kernel.layout import Entries, SetName, parts
from enforcement.kernel.plan import make_plan
from netsets.cidr import AddressSet, Prefixes

TIMEOUT = 900
_SKIPPED = 3  # exit code; the reason is on stdout
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def inside(module: str, *, size: int, needs: Sequence[str]) -> Row:
    """Have a module's `measure_inside` run in a namespace of its own and return its row."""
    if os.geteuid() != 0:
        raise RowSkipped("it needs a network namespace: run as root")
    for program in ("unshare", *needs):
        if shutil.which(program, path=_PATH) is None:
            raise RowSkipped(f"{program} is missing: deploy/setup.sh bench installs it")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "bench.kernel", module, str(size)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
        check=False,
        env={**os.environ, "PATH": _PATH},
    )
    if done.returncode == _SKIPPED:
        raise RowSkipped(done.stdout.strip())
    if done.returncode != 0:
        raise RuntimeError(f"{module} ended with {done.returncode}; the cause is above")
    return Row(**json.loads(done.stdout))


def filled(wanted: Content) -> IpsetSets:
    """Return the live sets, filled with a content."""
    sets = IpsetSets()
    sets.apply(sets.fitted(plan(None, wanted)))
    sets.settle()
    return sets


def plan(current: Content | None, wanted: Content) -> Plan:
    """Return the plan from one content to another; the rules do not matter."""
    return make_plan(current, wanted, Rules())


def blocking(block: AddressSet) -> Content:
    """Return the content that blocks these and allows nothing of it."""
    return Content(block, AddressSet.empty())


def laid(prefixes: Prefixes) -> list[tuple[SetName, Entries]]:
    """Return the sets of a block list that hold anything."""
    return [(name, entries) for name, entries in parts("block", prefixes) if len(entries)]


def script(verb: str, prefixes: Prefixes, *, end: str = "") -> bytes:
    """Return lines for `ipset restore` that add a block list to its sets, or take it out."""
    return b"".join(lines(verb, f"{name}{end}", name, held) for name, held in laid(prefixes))


def restore(script: bytes) -> None:
    """Have `ipset restore` do a script."""
    subprocess.run(["ipset", "-exist", "restore"], input=script, check=True, timeout=TIMEOUT)


def _main(module: str, size: str) -> int:
    try:
        row: Row = importlib.import_module(module).measure_inside(size=int(size))
    except RowSkipped as skipped:
        print(skipped)
        return _SKIPPED
    print(json.dumps(asdict(row)))
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
