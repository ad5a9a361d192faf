"""What may go wrong with a kernel, by what it means for the packets.

EnforceError              the state before still stands, whole, or the message says what does
├── EnforceUnavailable    no power, no tool, no answer in time: again later, or a person sees to it
├── EnforceRefused        what is wanted may not or cannot be loaded: a person must look
├── KernelDiffers         what was read back is not what was written
└── StateDamaged          a file of the state folder is not what was written there
"""

from __future__ import annotations


class EnforceError(Exception):
    """A deed in the kernel did not happen; what was in force before still is.

    Where that could not be brought back, the message says what is in force and what to do.
    """


class EnforceUnavailable(EnforceError):
    """The kernel or a tool cannot be used now: names what is missing and how to get it."""


class EnforceRefused(EnforceError):
    """What is wanted is not loaded: too large for the memory, or nothing the kernel can hold."""


class KernelDiffers(EnforceError):
    """The kernel holds something else than was written: names the set, both counts and digests."""


class StateDamaged(EnforceError):
    """A file of the state folder is damaged or lost: names it, what is wrong, what to do."""
