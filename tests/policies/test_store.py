"""Files are there whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from netsets.cidr import AddressSet
from policies.store import feed_path, get_set, put_feed, put_set, set_digest


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_set_comes_back_as_it_was_put() -> None:
    addresses = AddressSet.of("1.2.3.0/24", "2001:4860::/32")
    digest = put_set(addresses)
    assert digest == set_digest(addresses)
    assert get_set(digest) == addresses


def test_a_damaged_set_is_refused() -> None:
    digest = put_set(AddressSet.of("1.2.3.0/24"))
    path = Path(storages["sets"].path(f"{digest[:2]}/{digest}"))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match="set"):
        get_set(digest)


def test_a_feed_has_its_gzip_and_its_md5_beside_it() -> None:
    stored = put_feed(b"1.2.3.4\n5.6.0.0/16\n")
    assert gzip.decompress(feed_path(stored.digest, ".txt.gz").read_bytes()) == (
        b"1.2.3.4\n5.6.0.0/16\n"
    )
    md5 = hashlib.md5(b"1.2.3.4\n5.6.0.0/16\n", usedforsecurity=False).hexdigest()
    assert feed_path(stored.digest, ".txt.md5").read_text() == f"{md5}\n"
    assert (stored.lines, stored.size) == (2, 19)


def test_the_same_feed_is_written_once_and_byte_for_byte_alike() -> None:
    first = put_feed(b"1.2.3.4\n")
    inode = feed_path(first.digest, ".txt").stat().st_ino
    assert put_feed(b"1.2.3.4\n") == first
    assert feed_path(first.digest, ".txt").stat().st_ino == inode


def test_a_write_that_fails_half_way_leaves_nothing() -> None:
    class Torn(ContentFile):  # type: ignore[type-arg]
        def chunks(self, chunk_size=None):  # type: ignore[no-untyped-def]
            yield b"half"
            raise OSError(28, "No space left on device")

    storage = storages["sets"]
    with pytest.raises(OSError, match="No space"):
        storage.save("ab/abcd", Torn(b"half and half"))
    assert files_below(Path(storage.path(""))) == []


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz", ".txt.md5"])
@pytest.mark.parametrize("damage", [b"", b"1.2.3.5\n"])
def test_a_damaged_file_of_a_feed_is_mended_when_it_is_put_again(
    suffix: str, damage: bytes
) -> None:
    first = put_feed(b"1.2.3.4\n")
    path = feed_path(first.digest, suffix)
    whole = path.read_bytes()
    path.write_bytes(damage)
    assert put_feed(b"1.2.3.4\n") == first
    assert path.read_bytes() == whole


def test_a_good_gzip_of_another_library_is_kept_because_rows_tell_its_length() -> None:
    first = put_feed(b"1.2.3.4\n" * 99)
    other = gzip.compress(b"1.2.3.4\n" * 99, compresslevel=9)
    assert len(other) != first.gzip_size
    feed_path(first.digest, ".txt.gz").write_bytes(other)
    assert put_feed(b"1.2.3.4\n" * 99).gzip_size == len(other)
    assert feed_path(first.digest, ".txt.gz").read_bytes() == other
