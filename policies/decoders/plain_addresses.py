"""Plain A and AAAA answers, read out of the wire without a Python object a record.

Only what is recognised byte for byte is taken: one question, and answers that are all of the
question's type, class IN, right length, with a compression pointer to the question as owner.
Everything else is left to dnspython, and both must agree on whatever is taken here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from dns.rdatatype import RdataType

from policies.sources.dns_wire import HEADER_BYTES, Header

Array32 = npt.NDArray[np.uint32]
Array64 = npt.NDArray[np.uint64]

_POINTER_TO_QUESTION = 0xC000 + HEADER_BYTES
_IN = 1
_LONGEST_NAME = 255

_HEAD = [("owner", ">u2"), ("type", ">u2"), ("class", ">u2"), ("ttl", ">u4"), ("length", ">u2")]
_A = np.dtype([*_HEAD, ("address", ">u4")])
_AAAA = np.dtype([*_HEAD, ("address", ">u8", (2,))])


def plain4(message: bytes) -> Array32 | None:
    """Return the addresses of a plain A answer, None where it is anything else."""
    records = _records(message, RdataType.A, _A)
    return None if records is None else records["address"].astype(np.uint32)


def plain6(message: bytes) -> Array64 | None:
    """Return the addresses (hi, lo) of a plain AAAA answer, None where it is anything else."""
    records = _records(message, RdataType.AAAA, _AAAA)
    return None if records is None else records["address"].astype(np.uint64)


def _records(message: bytes, rdtype: RdataType, shape: np.dtype[np.void]) -> np.ndarray | None:
    end = _question_end(message)
    if end is None or message[end - 4 : end] != bytes((0, rdtype, 0, _IN)):
        return None
    header = Header.of(message)
    if header.questions != 1 or len(message) - end < header.answers * shape.itemsize:
        return None
    records = np.frombuffer(message, shape, header.answers, end)
    as_expected = (
        (records["owner"] == _POINTER_TO_QUESTION)
        & (records["type"] == rdtype)
        & (records["class"] == _IN)
        & (records["length"] == shape["address"].itemsize)
    )
    return records if as_expected.all() else None


def _question_end(message: bytes) -> int | None:
    """Return where a question with a spelt-out name ends, None where there is none such."""
    offset = HEADER_BYTES
    while offset < len(message) and 0 < message[offset] < 64:
        offset += 1 + message[offset]
    end = offset + 5
    if end > len(message) or message[offset] or offset + 1 - HEADER_BYTES > _LONGEST_NAME:
        return None
    return end
