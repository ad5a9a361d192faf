"""A second pair of eyes on legacy tables: python-iptables, which reads the kernel by itself.

It runs in a process of its own, `python -m enforcement.kernel.inspector inet`, because it may take
its process down with it. It never writes: docs/decisions/0012 tells why.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from enforcement.kernel import commands
from enforcement.kernel.errors import EnforceUnavailable
from enforcement.kernel.iptables_save import Chain, Rule, Table

_SECONDS = 20.0
_MOST_RULES = 10_000  # of a whole table; some 2 MB of output
_TOO_MANY = 3  # the exit code for more
# Not from `layout`, for which the child would have to load NumPy.
Version = Literal[4, 6]
_FAMILIES: Mapping[str, Version] = {"inet": 4, "inet6": 6}
_ROOT = Path(__file__).resolve().parents[2]


def is_installed() -> bool:
    """Tell whether there is an inspector; it is not loaded for that."""
    return importlib.util.find_spec("iptc") is not None


def inspect(version: Version) -> Table:
    """Return the legacy filter table of a family as the inspector reads it.

    The rules of others are worded well enough to tell what they may do, no more. Raises
    EnforceUnavailable where the inspector does not come back with a table.
    """
    family = next(name for name, number in _FAMILIES.items() if number == version)
    done = commands.run([sys.executable, "-m", __name__, family], seconds=_SECONDS, folder=_ROOT)
    if done.code == _TOO_MANY:
        raise EnforceUnavailable(f"the inspector reads no more than {_MOST_RULES:,} rules")
    if done.code != 0:
        raise EnforceUnavailable(
            f"the inspector ended with {done.code}: {done.complaint}; see whether the package"
            " python-iptables fits this host's iptables"
        )
    try:
        return {
            name: Chain(policy, tuple(Rule(tuple(words), int(packets)) for packets, words in rules))
            for name, (policy, rules) in json.loads(done.output).items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise EnforceUnavailable(f"the inspector cannot be understood: {error}") from error


# --- in the child ---------------------------------------------------------------------------------


def _dump(version: Version) -> dict[str, tuple[str, list[tuple[int, list[str]]]]]:
    """Return each chain's policy and rules. Only here is python-iptables loaded."""
    iptc = importlib.import_module("iptc")
    table = (iptc.Table if version == 4 else iptc.Table6)("filter")
    found: dict[str, tuple[str, list[tuple[int, list[str]]]]] = {}
    left = _MOST_RULES
    for chain in table.chains:
        policy = chain.get_policy()
        rules = chain.rules
        left -= len(rules)
        if left < 0:
            sys.exit(_TOO_MANY)
        found[chain.name] = (
            policy.name if policy else "-",
            [(rule.get_counters()[0], _words(rule, version)) for rule in rules],
        )
    return found


def _words(rule: Any, version: Version) -> list[str]:
    """Return the words that `iptables-save` has for a rule."""
    words: list[str] = []
    everywhere = "0.0.0.0/0.0.0.0" if version == 4 else "::/0"
    for option, value, default in (
        ("-s", rule.src, everywhere),
        ("-d", rule.dst, everywhere),
        ("-i", rule.in_interface, None),
        ("-o", rule.out_interface, None),
        ("-p", rule.protocol, "ip"),
    ):
        if value != default:
            words += [option, value]
    for match in rule.matches:
        words += ["-m", match.name, *_options(match.get_all_parameters())]
    target = rule.target
    if target is not None and target.name:
        words += ["-g" if target.goto else "-j", target.name]
        words += _options(target.get_all_parameters())
    return words


def _options(parameters: Mapping[str, Sequence[str]]) -> list[str]:
    return [word for name, values in parameters.items() for word in (f"--{name}", *values)]


def main() -> None:
    """Print a filter table as JSON; the family is the one argument."""
    sys.stdout.write(json.dumps(_dump(_FAMILIES[sys.argv[1]])))


if __name__ == "__main__":
    main()
