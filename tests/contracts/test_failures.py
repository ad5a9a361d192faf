"""Every failure of this field that we can cause has a test named after it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

# By the number that a failure has in the record of failures; the one left out is of firewalls that
# ask for a password, which another part of the appliance has.
RECORDED = {
    1: "a /0 or a huge CIDR in a list",
    2: "private, loopback and multicast addresses in a list",
    3: "a bogon list that grows over routable space",
    4: "what everybody needs is listed",
    5: "an empty answer, a web page, terms, a captcha",
    6: "glued lines, invented addresses, columns read as hosts",
    7: "an allow entry that does nothing",
    8: "an error in one list wipes others",
    9: "a set that is too small for its list",
    10: "one over-large list stops the rules",
    11: "entries run out all together",
    12: "a source silently left out",
    13: "a stop or a boot leaves the host open",
    14: "another program flushes our rules",
    15: "a list locks its own people out",
    16: "open connections are not cut, or too many",
    17: "one bad source blocks all others",
    18: "a stale list that nobody notices",
    19: "lists that grow for ever",
    20: "a firewall that truncates",
    22: "a feed that changes while it is read",
    23: "the wrong kind of decision in a block list",
    24: "a restore that leaves empty lists",
    25: "logs lost: drops, a second outage, a kill, a full disk",
    26: "a URL that reaches inside",
    27: "half a body",
    28: "a load that stops in the middle",
    29: "sets that take the kernel's memory",
    30: "neighbours fused into phantom ranges",
    31: "a 304 that lies",
    32: "a network failure that tears down what was there",
}
_NAME = re.compile(r"test_failure_(\d\d)_[a-z0-9_]{20,}")


def named_tests() -> Counter[int]:
    """Return how many tests each failure has, from the names of the tests themselves."""
    found: Counter[int] = Counter()
    for path in Path(__file__).parent.with_name("failures").glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and (named := _NAME.fullmatch(node.name)):
                found[int(named[1])] += any(isinstance(part, ast.Assert) for part in ast.walk(node))
    return found


def test_every_recorded_failure_has_a_test_named_after_it_that_asserts_something() -> None:
    found = named_tests()
    assert {number: RECORDED[number] for number in RECORDED if not found[number]} == {}


def test_no_test_is_named_after_a_failure_that_is_not_recorded() -> None:
    assert set(named_tests()) <= RECORDED.keys()
