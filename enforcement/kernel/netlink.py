"""Netfilter's netlink socket: requests that are acknowledged one by one, and dumps.

Messages are those of nfnetlink (linux/netfilter/nfnetlink.h): a netlink head, four bytes of family,
version and resource, attributes. All numbers of heads are in the machine's own byte order.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

from enforcement.kernel.errors import EnforceUnavailable

NETLINK_NETFILTER = 12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 0x1, 0x4, 0x200, 0x400
NLM_F_DUMP = 0x300
NLA_F_NESTED, NLA_F_NET_BYTEORDER = 0x8000, 0x4000
HEAD = struct.Struct("=IHHII")  # length, type, flags, sequence, port
FAMILY = struct.Struct("=BBH")  # family, version, resource
ATTRIBUTE = struct.Struct("=HH")  # length, type
_ERROR = struct.Struct("=i")
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_SOL_NETLINK, _NETLINK_NO_ENOBUFS, _NETLINK_CAP_ACK = 270, 5, 10
# SO_SNDBUFFORCE and SO_RCVBUFFORCE, each with the option that stays within the machine's limit.
_BUFFERS = ((32, socket.SO_SNDBUF), (33, socket.SO_RCVBUF))
_SECONDS = 60.0
_RECEIVE = 1 << 20  # bytes; the kernel fills at most what one call can take
_BUFFER = 64 << 20  # bytes that one send may hold


class NetlinkRefused(Exception):
    """The kernel refused messages; it has done all the others, those after them too.

    `refused` is the error number of each by its place; `errno` and `place` are of the first.
    """

    def __init__(self, number: int, place: int, refused: Mapping[int, int] | None = None) -> None:
        super().__init__(os.strerror(number) if number < 4096 else f"error {number}")
        self.errno, self.place = number, place
        self.refused = refused or {place: number}


def attribute(kind: int, payload: bytes) -> bytes:
    """Return an attribute, padded to four bytes."""
    length = ATTRIBUTE.size + len(payload)
    return ATTRIBUTE.pack(length, kind) + payload + bytes(-length % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def message(kind: int, body: bytes, *, flags: int = 0, family: int = 0) -> bytes:
    """Return a request; its sequence number is filled in when it is sent."""
    length = HEAD.size + FAMILY.size + len(body)
    head = HEAD.pack(length, kind, NLM_F_REQUEST | flags, 0, 0)
    return head + FAMILY.pack(family, 0, 0) + body + bytes(-length % 4)


class Netlink:
    """One socket, for a `with` block. Raises EnforceUnavailable where the kernel gives none.

    Without CAP_NET_ADMIN over this network namespace the kernel refuses what it is asked (EPERM).
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        except OSError as error:
            raise EnforceUnavailable(
                f"netfilter cannot be asked: {error.strerror}; load the module nfnetlink"
            ) from error
        self._sequence = 0
        try:
            self._prepare()
        except OSError as error:
            self._socket.close()
            raise EnforceUnavailable(
                f"a socket to netfilter cannot be prepared: {error.strerror}; this needs Linux 4.3"
                " or later"
            ) from error

    def _prepare(self) -> None:
        self._socket.settimeout(_SECONDS)
        for force, plain in _BUFFERS:
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, force, _BUFFER)
            except PermissionError:
                # Root of a container may use the kernel's sets, but not go over the machine's limit
                # (net.core.wmem_max and rmem_max), which the kernel takes here in silence.
                self._socket.setsockopt(socket.SOL_SOCKET, plain, _BUFFER)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_NO_ENOBUFS, 1)
        # A refusal does not bring back the whole message that it is about.
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.bind((0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def ask(self, messages: Sequence[bytes]) -> None:
        """Send messages in one call, which no kill divides, and wait for the answer to each.

        Each has a kind, no more flags than NLM_F_REQUEST and its own; NLM_F_ACK is added. The
        kernel works on all of them, whatever it says of one: raises NetlinkRefused with the first
        that it refused, EnforceUnavailable where it does not answer.
        """
        answers = self.answers(messages)
        refused = {place: number for place, number in enumerate(answers) if number}
        if refused:
            place = min(refused)
            raise NetlinkRefused(refused[place], place, refused)

    def answers(self, messages: Sequence[bytes]) -> list[int]:
        """Send messages as `ask` does; return for each its error number, 0 where it was done."""
        if not messages:
            return []
        first = self._sequence + 1
        self._sequence += len(messages)
        self._send(b"".join(self._numbered(messages, first)))
        numbers = [0] * len(messages)
        waiting = len(messages)
        while waiting:
            for kind, sequence, payload in split(self._receive()):
                if kind == _NLMSG_ERROR and sequence >= first:
                    waiting -= 1
                    numbers[sequence - first] = -_ERROR.unpack_from(payload)[0]
        return numbers

    def dump(self, request: bytes) -> Iterator[memoryview]:
        """Send a request for an answer and yield it, a buffer of whole messages each time.

        The answer is a dump, or messages with the acknowledgement after them.
        `split` takes a buffer apart. Raises NetlinkRefused and EnforceUnavailable.
        """
        self._sequence += 1
        self._send(b"".join(self._numbered([request], self._sequence)))
        while True:
            received = self._receive()
            ended = _end_of_dump(received)
            yield received
            if ended:
                return

    def _numbered(self, messages: Sequence[bytes], first: int) -> Iterator[bytes]:
        for sequence, one in enumerate(messages, first):
            length, kind, flags, _, _ = HEAD.unpack_from(one)
            asked = flags if flags & NLM_F_DUMP == NLM_F_DUMP else flags | NLM_F_ACK
            yield HEAD.pack(length, kind, asked, sequence, 0)
            yield one[HEAD.size :]

    def _send(self, content: bytes) -> None:
        try:
            self._socket.send(content)
        except OSError as error:
            raise EnforceUnavailable(
                f"netfilter does not take {len(content):,} bytes: {error.strerror}; in a container"
                " raise net.core.wmem_max of the machine above that, else give it more memory"
            ) from error

    def _receive(self) -> memoryview:
        try:
            return memoryview(self._socket.recv(_RECEIVE))
        except TimeoutError as error:
            raise EnforceUnavailable(
                f"netfilter did not answer within {_SECONDS:g} s: see what else keeps this machine"
                " busy, then try again"
            ) from error
        except OSError as error:
            raise EnforceUnavailable(
                f"netfilter cannot be heard: {error.strerror}; try again, and see the kernel's log"
            ) from error


def split(received: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield kind, sequence number and payload, family bytes included, of each message."""
    place = 0
    while place + HEAD.size <= len(received):
        length, kind, _, sequence, _ = HEAD.unpack_from(received, place)
        if length < HEAD.size:
            return
        yield kind, sequence, received[place + HEAD.size : place + length]
        place += (length + 3) & ~3


def attributes(payload: memoryview) -> dict[int, memoryview]:
    """Return the attributes of a payload without its family bytes, by kind; flags are cleared."""
    found: dict[int, memoryview] = {}
    place = 0
    while place + ATTRIBUTE.size <= len(payload):
        length, kind = ATTRIBUTE.unpack_from(payload, place)
        if length < ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = payload[place + ATTRIBUTE.size : place + length]
        place += (length + 3) & ~3
    return found


def _end_of_dump(received: memoryview) -> bool:
    """Tell whether an answer ends here; raises NetlinkRefused where it was refused."""
    for kind, _, payload in split(received):
        if kind == _NLMSG_ERROR:
            number = -_ERROR.unpack_from(payload)[0]
            if number:
                raise NetlinkRefused(number, 0)
            return True
        if kind == _NLMSG_DONE:
            number = -_ERROR.unpack_from(payload)[0] if len(payload) >= _ERROR.size else 0
            if number > 0:
                raise NetlinkRefused(number, 0)
            return True
    return False
