"""Lines of the plainest shapes, read by the million: the hot path of the parsers.

A reader looks at all lines of a text together, in whole-array steps. It takes the lines that it
recognises wholly and without any doubt, and reads of them what varies without end: moments,
addresses, ports. What the rest of such a line means it does not say; it only says which lines are
alike in it (`Found`). `logs.parsers.block` asks the reference about one line of each kind, and
about every line that was not taken.
"""

from __future__ import annotations

from logs.parsers.fast import firepower, netfilter
from logs.parsers.fast.found import Reader

READERS: tuple[Reader, ...] = (firepower.read, netfilter.read)
