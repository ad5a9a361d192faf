"""What ipset's refusals mean, by the numbers of ip_set.h and ip_set_hash.h."""

from __future__ import annotations

import errno
import os

from enforcement.kernel.errors import (
    EnforceError,
    EnforceRefused,
    EnforceUnavailable,
    KernelDiffers,
)


class NotUnderstood(EnforceUnavailable):
    """The kernel does not know such messages: there may be another way."""


PROTOCOL, FIND_TYPE, MAX_SETS, IN_USE, EXIST_SETNAME2, TYPE_MISMATCH, EXIST = range(4097, 4104)
INVALID_CIDR, REFERENCED = 4104, 4108
HASH_FULL, HASH_ELEM = 4352, 4353
# Somebody holds the set: a rule, or a program that lists it.
HELD = frozenset({errno.EBUSY, IN_USE, REFERENCED})
ABSENT = errno.ENOENT
THERE = errno.EEXIST

_Meaning = tuple[type[EnforceError], str]
_HELD: _Meaning = (
    EnforceUnavailable,
    (
        "a rule uses it, or another program lists it (EBUSY): see `iptables-nft-save` and"
        " `iptables-legacy-save` for match-set, and those of ip6tables"
    ),
)
_OTHER_PROTOCOL: _Meaning = (
    NotUnderstood,
    "the kernel does not understand the message: its ipset is of another protocol",
)
_MEANINGS: dict[int, _Meaning] = {
    errno.EPERM: (EnforceUnavailable, "there is no power over the kernel: CAP_NET_ADMIN is needed"),
    errno.ENOMEM: (
        EnforceRefused,
        "the kernel has no memory for it (ENOMEM): enforce a smaller list, or give it more memory",
    ),
    errno.ENOENT: (
        KernelDiffers,
        "there is no such set (ENOENT): another program destroyed it; apply again",
    ),
    errno.EINVAL: (
        EnforceUnavailable,
        "the kernel has no ipset, or not this of it (EINVAL): load the module ip_set",
    ),
    errno.EEXIST: (EnforceUnavailable, "a set of that name is there (EEXIST): apply again"),
    PROTOCOL: _OTHER_PROTOCOL,
    errno.EOPNOTSUPP: _OTHER_PROTOCOL,
    errno.EPROTONOSUPPORT: _OTHER_PROTOCOL,
    FIND_TYPE: (
        EnforceUnavailable,
        "the kernel has no such type of set: load the modules ip_set_hash_ip and ip_set_hash_net",
    ),
    MAX_SETS: (
        EnforceRefused,
        "the kernel holds no more sets (MAX_SETS): destroy some that are not used",
    ),
    **dict.fromkeys(HELD, _HELD),
    EXIST_SETNAME2: (EnforceUnavailable, "the other set is not there, or there twice: apply again"),
    TYPE_MISMATCH: (
        EnforceRefused,
        "the sets are of different types (TYPE_MISMATCH): destroy the one that is not ours",
    ),
    EXIST: (
        KernelDiffers,
        "an entry is there already, or is not (EXIST): another program changed it; apply again",
    ),
    INVALID_CIDR: (
        EnforceRefused,
        "the kernel takes no network of that length (INVALID_CIDR): take it out of the list",
    ),
    HASH_FULL: (
        EnforceRefused,
        "it holds as many entries as it may (HASH_FULL): it must be replaced by a larger one",
    ),
    HASH_ELEM: (
        EnforceRefused,
        "the kernel takes no such entry (HASH_ELEM): take addresses of zeros out of the list",
    ),
}


def refusal(deed: str, number: int) -> EnforceError:
    """Return the error that says what could not be done, why, and what to do.

    `deed` names the set: "set TSblocknet: adding entries".
    """
    text = os.strerror(number) if number < PROTOCOL else "an error of ipset that is not known here"
    unknown = f"{text} ({number}): see the kernel's log, then apply again"
    kind, meaning = _MEANINGS.get(number, (EnforceRefused, unknown))
    return kind(f"{deed} was refused: {meaning}")
