"""Messages of ipset without a kernel: what is built, and what of an answer is understood."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, strategies as st

from enforcement.kernel import ipset_dump, ipset_wire as wire
from enforcement.kernel.errors import EnforceRefused, EnforceUnavailable
from enforcement.kernel.ipset_dump import Foreign, Unreadable
from enforcement.kernel.ipset_errors import refusal
from enforcement.kernel.layout import SETS, Entries, SetName
from enforcement.kernel.netlink import (
    FAMILY,
    NLA_F_NET_BYTEORDER,
    attribute,
    attributes,
    message,
    nested,
    split,
)

NET4, NET6 = SetName("block", True, 4), SetName("block", True, 6)
ADDRESS4, ADDRESS6 = SetName("block", False, 4), SetName("block", False, 6)


def as_dumped(name: SetName, entries: Entries, *more: bytes) -> bytes:
    """Return entries as the kernel lists them: the address without the flag of its order."""
    size = 4 if name.version == 4 else 16
    flat = entries.first.astype(">u4" if name.version == 4 else ">u8").tobytes()
    return b"".join(
        nested(
            wire.DATA,
            nested(
                wire.IP, attribute(wire.IPADDR[name.version], flat[at * size : (at + 1) * size])
            ),
            *((attribute(wire.CIDR, bytes([length])),) if name.is_net else ()),
            *more,
        )
        for at, length in enumerate(entries.length.tolist())
    )


def a_dump(name: SetName, content: bytes) -> bytes:
    number = [
        attribute(kind | NLA_F_NET_BYTEORDER, struct.pack(">I", 7))
        for kind in (wire.HASHSIZE, wire.MAXELEM, wire.ELEMENTS, wire.MEMSIZE)
    ]
    body = b"".join(
        (
            attribute(wire.SETNAME, str(name).encode() + b"\0"),
            attribute(wire.TYPENAME, wire.type_of(name).encode() + b"\0"),
            attribute(wire.FAMILY, bytes([wire.AF[name.version]])),
            nested(wire.DATA, *number),
            nested(wire.ADT, content),
        )
    )
    return message(wire.SUBSYSTEM | wire.Command.LIST, body)


def sample(name: SetName, size: int = 5) -> Entries:
    rng = np.random.default_rng(size)
    if name.version == 4:
        first = rng.integers(0, 1 << 32, size).astype(np.uint32)
    else:
        first = rng.integers(0, 1 << 64, (size, 2), dtype=np.uint64)
    full = 32 if name.version == 4 else 128
    length = rng.integers(1, full, size) if name.is_net else np.full(size, full)
    return Entries(first, length.astype(np.uint8))


def same(a: Entries, b: Entries) -> bool:
    return np.array_equal(a.first, b.first) and np.array_equal(a.length, b.length)


@pytest.mark.parametrize("name", SETS[:4], ids=str)
def test_every_message_stays_below_the_size_of_an_attribute_and_none_is_lost(name: SetName) -> None:
    entries = sample(name, 10_000)
    template, _ = wire.entry_template(name, flag=0)
    built = list(wire.batches(wire.Command.ADD, str(name), name, entries))
    sizes = []
    for one in built:
        ((kind, _, payload),) = split(memoryview(one))
        body = attributes(payload[FAMILY.size :])
        assert kind == wire.SUBSYSTEM | wire.Command.ADD
        assert bytes(body[wire.SETNAME]) == str(name).encode() + b"\0"
        assert len(body[wire.ADT]) < 1 << 16
        sizes.append(len(body[wire.ADT]) // template.nbytes)
    assert sum(sizes) == 10_000
    assert len(built) > 2


def test_no_entries_make_no_message() -> None:
    assert not list(wire.batches(wire.Command.DEL, "TSblocknet", NET4, sample(NET4, 0)))


@pytest.mark.parametrize("name", SETS[:4], ids=str)
def test_entries_that_the_kernel_lists_come_back_as_they_are(name: SetName) -> None:
    entries = sample(name, 300)
    found, held = ipset_dump.whole(name, [memoryview(a_dump(name, as_dumped(name, entries)))])
    assert found.is_kind_of(name)
    assert held is not None
    assert same(held, entries)


@pytest.mark.parametrize("name", SETS[:4], ids=str)
def test_entries_with_counters_or_comments_are_read_one_by_one(name: SetName) -> None:
    entries, comment = sample(name, 30), attribute(27, b"by hand\0")
    mixed = [
        memoryview(as_dumped(name, Entries(entries.first[:10], entries.length[:10]))),
        memoryview(as_dumped(name, Entries(entries.first[10:], entries.length[10:]), comment)),
    ]
    assert same(ipset_dump.entries(name, mixed), entries)


def test_an_exception_in_a_set_is_not_taken_for_an_entry() -> None:
    flags = attribute(wire.CADT_FLAGS | NLA_F_NET_BYTEORDER, struct.pack(">I", wire.NOMATCH))
    content = as_dumped(NET4, sample(NET4), flags)
    with pytest.raises(Foreign):
        ipset_dump.entries(NET4, [memoryview(content)])
    assert ipset_dump.whole(NET4, [memoryview(a_dump(NET4, content))])[1] is None


@pytest.mark.parametrize("length", [0, 33, 255])
def test_a_length_that_no_network_has_is_not_believed(length: int) -> None:
    entries = Entries(np.zeros(1, np.uint32), np.array([length], np.uint8))
    with pytest.raises(Unreadable):
        ipset_dump.entries(NET4, [memoryview(as_dumped(NET4, entries))])


@given(st.data(), st.sampled_from(SETS[:4]))
def test_a_damaged_dump_is_read_or_refused_and_never_hangs(
    data: st.DataObject, name: SetName
) -> None:
    whole = bytearray(a_dump(name, as_dumped(name, sample(name, 20))))
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    cut = memoryview(whole)[: data.draw(st.integers(0, len(whole)))]
    with suppress(EnforceUnavailable):
        ipset_dump.whole(name, [cut])


@given(st.binary(max_size=200), st.sampled_from(SETS[:4]))
def test_garbage_is_read_or_refused_and_never_hangs(garbage: bytes, name: SetName) -> None:
    for read in (ipset_dump.header, ipset_dump.kind):
        with suppress(EnforceUnavailable):
            read([memoryview(garbage)])
    with suppress(EnforceUnavailable, Foreign):
        ipset_dump.entries(name, [memoryview(garbage)])


@pytest.mark.parametrize(
    ("entries", "buckets"), [(0, 1024), (2048, 1024), (2050, 2048), (1_000_000, 1 << 19)]
)
def test_addresses_have_half_as_many_buckets_and_networks_four_times_that(
    entries: int, buckets: int
) -> None:
    size = wire.Size.fitting(entries, is_net=False)
    assert size.hashsize == buckets
    assert size.maxelem >= max(2 * entries, 1 << 16)
    nets = wire.Size.fitting(entries, is_net=True)
    assert nets.hashsize == (4 * buckets if entries else buckets)
    assert nets.maxelem == size.maxelem


def test_a_size_stays_within_what_the_kernel_takes() -> None:
    size = wire.Size.fitting(1 << 40, is_net=True)
    assert size.maxelem < 1 << 32
    assert size.hashsize <= 1 << 26


def test_a_refusal_names_the_set_the_cause_and_the_next_step() -> None:
    full = refusal("adding entries of set TSblocknet", 4352)
    assert isinstance(full, EnforceRefused)
    assert str(full) == (
        "adding entries of set TSblocknet was refused: it holds as many entries as it may "
        "(HASH_FULL): it must be replaced by a larger one"
    )
    assert "(5000)" in str(refusal("making set TSblocknet", 5000))
    assert "No space left on device (28)" in str(refusal("making set TSblocknet", 28))
