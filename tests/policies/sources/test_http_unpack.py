"""gzip and zip, whole and broken."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
import zlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from policies.sources.base import SourceError
from policies.sources.http_errors import BadArchive, CutShort, TooLarge
from policies.sources.http_unpack import MAX_MEMBERS, unpack
from tests.fakes.webserver import Reply, WebServer
from tests.policies.sources.web import body_of, retrieve

LIST = b"192.0.2.1\n198.51.100.0/24\n"
BOMB = b"192.0.2.1\n" * 5_000_000  # 50 MB, which pack into a thousandth


def zipped(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return stream.getvalue()


def unpacked(body: bytes, *, encoding: str = "", member: str = "", max_bytes: int = 1000) -> bytes:
    return unpack(body, encoding=encoding, member=member, max_bytes=max_bytes, about="URL")


def test_a_gzip_is_opened_whether_the_server_says_so_or_the_file_is_one() -> None:
    body = gzip.compress(LIST)
    with WebServer(lambda _: Reply(body, headers={"Content-Encoding": "gzip"})) as server:
        assert body_of(retrieve(server)) == LIST
    with WebServer(lambda _: Reply(body)) as server:
        assert body_of(retrieve(server, "/list.gz")) == LIST


def test_a_zip_gives_its_first_file_or_the_one_that_is_named() -> None:
    body = zipped(a_txt=LIST, b_txt=b"203.0.113.1\n")
    with WebServer(lambda _: Reply(body)) as server:
        assert body_of(retrieve(server)) == LIST
        assert body_of(retrieve(server, member="b.txt")) == b"203.0.113.1\n"
        assert body_of(retrieve(server, member="b*")) == b"203.0.113.1\n"


def test_a_gzip_of_several_members_and_padding_is_one_text() -> None:
    body = gzip.compress(b"192.0.2.1\n") + gzip.compress(b"192.0.2.2\n") + b"\0" * 512
    assert unpacked(body) == b"192.0.2.1\n192.0.2.2\n"


def test_the_rest_of_a_gzip_is_not_looked_at_anew_for_each_of_its_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body, looked_at, real = gzip.compress(b"") * 2000, 0, zlib.decompressobj

    class Counting:
        def __init__(self, wbits: int) -> None:
            self.inner = real(wbits)

        def decompress(self, part: bytes, most: int) -> bytes:
            nonlocal looked_at
            looked_at += len(part)
            return self.inner.decompress(part, most)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    monkeypatch.setattr("policies.sources.http_unpack.zlib.decompressobj", Counting)
    assert unpacked(body) == b""
    assert looked_at < 100 * len(body)


def test_a_gzip_sent_as_gzip_is_opened_twice() -> None:
    assert unpacked(gzip.compress(gzip.compress(LIST)), encoding="GZIP") == LIST


@pytest.mark.parametrize(
    ("body", "encoding", "member", "fault"),
    [
        (LIST, "br", "", BadArchive),
        (LIST, "gzip, gzip", "", BadArchive),
        (LIST, "gzip", "", BadArchive),
        (LIST, "", "a.txt", BadArchive),
        (gzip.compress(LIST)[:-9], "", "", CutShort),
        (gzip.compress(LIST) + b"more", "", "", BadArchive),
        (gzip.compress(LIST)[:-4] + b"\xff" * 4, "", "", BadArchive),
        (zlib.compress(LIST), "deflate", "", BadArchive),
        (zipped(a_txt=LIST)[:-30], "", "", BadArchive),
        (zipped(a_txt=LIST), "", "b.txt", BadArchive),
        (zipped(), "", "", BadArchive),
        (zipped(zipfile.ZIP_BZIP2, a_txt=LIST), "", "", BadArchive),
        (zipped(zipfile.ZIP_LZMA, a_txt=LIST), "", "", BadArchive),
    ],
    ids=[  # archives hold the time they were made at, and two workers must name tests alike
        "br", "twice", "no gzip", "no zip", "cut", "more behind", "length", "deflate", "cut zip",
        "no member", "empty zip", "bzip2", "lzma",
    ],
)  # fmt: skip
def test_an_archive_that_cannot_be_read_whole_is_refused(
    body: bytes, encoding: str, member: str, fault: type[SourceError]
) -> None:
    if body == zipped():
        body = b"PK\x03\x04" + body
    with pytest.raises(fault, match=r"^URL: "):
        unpacked(body, encoding=encoding, member=member)


def test_a_zip_that_lacks_the_member_names_what_it_has() -> None:
    with pytest.raises(BadArchive, match=r"no file 'c\.txt'; it holds 'a\.txt', 'b\.txt'"):
        unpacked(zipped(a_txt=LIST, b_txt=LIST), member="c.txt")


def test_a_zip_with_a_broken_checksum_is_refused() -> None:
    body = bytearray(zipped(zipfile.ZIP_STORED, a_txt=LIST))
    body[body.index(b"192")] ^= 1
    with pytest.raises(BadArchive, match="CRC"):
        unpacked(bytes(body))


def test_a_zip_with_a_crowd_of_members_is_not_listed() -> None:
    body = b"PK\x03\x04" + b"PK\x01\x02" * (MAX_MEMBERS + 1)
    with pytest.raises(BadArchive, match="more than 10,000 files"):
        unpacked(body)


# Row 19 of the failures: memory that grows with what comes.


@pytest.mark.parametrize("pack", [gzip.compress, lambda body: zipped(a_txt=body)])
def test_a_bomb_is_refused_in_bounded_memory(pack: object) -> None:
    assert callable(pack)
    body = pack(BOMB)
    assert len(body) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match=r"unpacks to .*max_bytes \(1,048,576\)"):
            unpacked(body, max_bytes=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_a_text_of_just_the_bound_is_unpacked() -> None:
    assert unpacked(gzip.compress(LIST), max_bytes=len(LIST)) == LIST
    assert unpacked(zipped(a_txt=LIST), max_bytes=len(LIST)) == LIST
    for body in (gzip.compress(LIST), zipped(a_txt=LIST)):
        with pytest.raises(TooLarge):
            unpacked(body, max_bytes=len(LIST) - 1)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x1f\x8b", b"\x1f\x8b\x08", b"PK\x03\x04"]))
def test_whatever_comes_is_unpacked_or_refused_and_nothing_else(tail: bytes, magic: bytes) -> None:
    try:
        text = unpacked(magic + tail)
    except (BadArchive, CutShort, TooLarge):
        return
    assert len(text) <= 1000


@given(st.data())
def test_a_damaged_zip_is_unpacked_or_refused_and_nothing_else(data: st.DataObject) -> None:
    body = bytearray(zipped(a_txt=LIST))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        text = unpacked(bytes(body))
    except (BadArchive, CutShort, TooLarge):
        return
    assert len(text) <= 1000
