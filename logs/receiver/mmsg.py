"""recvmmsg(2): many datagrams, their senders and the kernel's count of drops in one call.

Python's own sockets take one datagram a call; at 200,000 a second that is more than a core has.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SO_RXQ_OVFL = 40
_MSG_TRUNC = 0x20
_MSG_WAITFORONE = 0x10000
_CONTROL_BYTES = 64  # one cmsghdr with a 32-bit count, and room
_CONTROL = np.dtype([("length", "<u8"), ("level", "<i4"), ("type", "<i4"), ("drops", "<u4")])
_ADDRESS_BYTES = 28  # struct sockaddr_in6


class _IoVector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vector", ctypes.c_void_p),
        ("vector_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("length", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Datagrams:
    """Datagrams of one call; the views are good until the next one."""

    views: list[memoryview]
    addresses: npt.NDArray[np.void]  # 16 bytes each, IPv4 mapped into IPv6
    true_lengths: npt.NDArray[np.uint32]  # of those longer than `most`, what they were
    drops: int  # the socket's own count since it was opened, modulo 2**32


class ManyReader:
    """Reads up to `count` datagrams of at most `most` bytes at a time from a UDP socket.

    It must be an IPv6 socket, where IPv4 senders show as mapped addresses, or an IPv4 one.
    """

    def __init__(self, sock: socket.socket, *, count: int, most: int) -> None:
        self._sock = sock
        self._is_ipv6 = sock.family == socket.AF_INET6
        self._most = most
        # Not a bytearray: of the room for the longest only what is written to is ever memory.
        self._buffer = mmap.mmap(-1, count * most)
        self._view = memoryview(self._buffer)
        self._names = np.zeros((count, _ADDRESS_BYTES), dtype=np.uint8)
        self._controls = np.zeros((count, _CONTROL_BYTES), dtype=np.uint8)
        self._messages = (_Message * count)()
        self._vectors = (_IoVector * count)()
        fields = memoryview(self._messages).cast("B")  # the same memory, as columns
        self._fields = np.frombuffer(fields, dtype=np.dtype(_Message))
        self._drops = 0
        self._arrange()

    def read(self) -> Datagrams:
        """Wait for a datagram and return it with those that are there too.

        None within the socket's time-out: no views. Raises OSError.
        """
        header = self._fields["header"]
        header["name_length"] = _ADDRESS_BYTES
        header["control_length"] = _CONTROL_BYTES
        flags = _MSG_WAITFORONE | _MSG_TRUNC
        count = _libc.recvmmsg(
            self._sock.fileno(), self._messages, len(self._messages), flags, None
        )
        if count < 0:
            number = ctypes.get_errno()
            if number not in {errno.EAGAIN, errno.EINTR}:
                raise OSError(number, os.strerror(number))
            count = 0
        lengths = self._fields["length"][:count].astype(np.uint32)
        kept = np.minimum(lengths, self._most).tolist()
        view, most = self._view, self._most
        views = [view[at * most : at * most + size] for at, size in enumerate(kept)]
        self._note_drops(count)
        return Datagrams(views, self._senders(count), lengths, self._drops)

    def _arrange(self) -> None:
        """Point every message at its own piece of each buffer."""
        base = ctypes.addressof((ctypes.c_char * len(self._buffer)).from_buffer(self._buffer))
        names, controls = self._names.ctypes.data, self._controls.ctypes.data
        vectors = ctypes.addressof(self._vectors)
        for at, message in enumerate(self._messages):
            self._vectors[at] = _IoVector(base + at * self._most, self._most)
            header = message.header
            header.name = names + at * _ADDRESS_BYTES
            header.vector = vectors + at * ctypes.sizeof(_IoVector)
            header.vector_length = 1
            header.control = controls + at * _CONTROL_BYTES

    def _senders(self, count: int) -> npt.NDArray[np.void]:
        if self._is_ipv6:
            found = np.ascontiguousarray(self._names[:count, 8:24])
        else:
            found = np.zeros((count, 16), dtype=np.uint8)
            found[:, 10:12] = 0xFF
            found[:, 12:] = self._names[:count, 4:8]
        return found.view("V16").reshape(count)

    def _note_drops(self, count: int) -> None:
        """Keep the newest count of drops; a datagram bears one once there was a drop."""
        if not count:
            return
        controls = self._controls[:count, : _CONTROL.itemsize].copy().view(_CONTROL).reshape(count)
        has = self._fields["header"]["control_length"][:count] >= _CONTROL.itemsize
        counted = has & (controls["type"] == SO_RXQ_OVFL)
        if counted.any():
            self._drops = int(controls["drops"][counted][-1])
