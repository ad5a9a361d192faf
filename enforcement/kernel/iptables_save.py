"""The text of `iptables-save`, taken apart and put together: one rule a line, words quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# Options whose value may look like the option that names a target.
_FREE_TEXT = frozenset({"--comment", "--string"})
_TARGET = frozenset({"-j", "-g"})
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_COUNTED = re.compile(r"\[(\d+):\d+\] (.*)")
_PLAIN = re.compile(r"[\w./:,+@%=\-!]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as `iptables-save` words it, without the chain it stands in.

    Two rules are alike when they do the same, whatever they have counted.
    """

    words: tuple[str, ...]
    packets: int = field(default=0, compare=False)

    @classmethod
    def of(cls, text: str) -> Rule:
        """Make a rule of the words of a text that needs no quotes."""
        return cls(tuple(text.split()))

    def __str__(self) -> str:
        """Return the rule as it is given to `iptables-restore`, behind the name of its chain."""
        return " ".join(word if _PLAIN.fullmatch(word) else _quoted(word) for word in self.words)

    @property
    def target(self) -> str:
        """The chain or the deed that a packet is handed to, "" where the rule only counts."""
        place = self._target_place()
        return "" if place is None else self.words[place + 1]

    @property
    def is_goto(self) -> bool:
        """Whether a packet does not come back behind this rule."""
        place = self._target_place()
        return place is not None and self.words[place] == "-g"

    def _target_place(self) -> int | None:
        before = ""
        for place, word in enumerate(self.words[:-1]):
            if word in _TARGET and before not in _FREE_TEXT:
                return place
            before = word
        return None


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain: its rules in order, and what becomes of a packet that none of them decides."""

    policy: str  # "-" where the chain is no built-in one
    rules: tuple[Rule, ...] = ()


Table = Mapping[str, Chain]


def parse(text: str) -> dict[str, Table]:
    """Return the tables of a dump by name, with or without counters.

    Raises ValueError with the line that is none of `iptables-save`, or where a table has no end.
    """
    tables: dict[str, Table] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("*"):
            tables[line[1:].strip()] = _table(lines)
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"not a line of iptables-save: {line[:200]}")
    return tables


def _table(lines: Iterator[str]) -> Table:
    """Take the lines of one table, its end included, off the rest."""
    policies: dict[str, str] = {}
    rules: dict[str, list[Rule]] = {}
    for line in lines:
        if line == "COMMIT":
            return {name: Chain(policies[name], tuple(rules[name])) for name in policies}
        if line.startswith(":"):
            name, policy, *_ = line[1:].split()
            policies[name], rules[name] = policy, []
        elif not line.startswith("#"):
            name, rule = _rule(line)
            if name not in rules:
                raise ValueError(f"a rule of a chain that was not named before: {line[:200]}")
            rules[name].append(rule)
    raise ValueError("the output of iptables-save ends inside a table")


def _rule(line: str) -> tuple[str, Rule]:
    counted = _COUNTED.fullmatch(line)
    packets, appended = (int(counted[1]), counted[2]) if counted else (0, line)
    words = [bare or re.sub(r"\\(.)", r"\1", quoted) for quoted, bare in _WORD.findall(appended)]
    if len(words) < 2 or words[0] != "-A":
        raise ValueError(f"not a line of iptables-save: {line[:200]}")
    return words[1], Rule(tuple(words[2:]), packets)


def _quoted(word: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", word) + '"'
