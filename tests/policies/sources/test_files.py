from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.sources import files
from policies.sources.base import Deadline, EmptyList, Known, Retrieved, SourceMisconfigured
from policies.sources.file_errors import (
    FileIsNoList,
    FileMissing,
    FilesEmpty,
    FilesTooLarge,
    FileUnreadable,
    FolderEmpty,
    LeadsOutside,
    NotAFile,
    ReadTooSlowly,
    StillChanging,
)
from policies.sources.file_reader import Seen, look, read
from policies.sources.files import FileSource


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The one folder that the site allows."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    return allowed


def source_of(path: Path, root: Path, **settings: object) -> FileSource:
    return FileSource.from_settings({"path": str(path), "roots": [str(root)], **settings})


def retrieve(
    path: Path, root: Path, *, known: Retrieved | None = None, **settings: Any
) -> Retrieved | None:
    held = Known(known.version) if known and known.version else None
    return source_of(path, root, **settings).retrieve(known=held, deadline=Deadline.after(10))


def addresses(retrieved: Retrieved | None) -> AddressSet:
    assert retrieved is not None
    return decode(retrieved).addresses


def test_a_file_is_a_list(folder: Path) -> None:
    path = folder / "list.txt"
    path.write_bytes(b"\xef\xbb\xbf192.0.2.1\r\n2001:db8::/32 # note\r\n")
    assert addresses(retrieve(path, folder)) == AddressSet.of("192.0.2.1", "2001:db8::/32")


def test_the_matching_files_of_a_folder_are_one_list_in_the_order_of_their_names(
    folder: Path,
) -> None:
    (folder / "b.txt").write_bytes(b"192.0.2.2")
    (folder / "a.txt").write_bytes(b"# a\n192.0.2.1\n")
    (folder / "c.txt").write_bytes(b"192.0.2.3\n\n")
    (folder / "d.csv").write_bytes(b"192.0.2.4\n")
    (folder / ".e.txt").write_bytes(b"192.0.2.5\n")  # as writers name what is not whole yet
    (folder / "f.txt").mkdir()
    retrieved = retrieve(folder, folder, pattern="*.txt")
    assert retrieved is not None
    lines = b"\n".join(retrieved.payload).split(b"\n")
    assert lines == [b"# a", b"192.0.2.1", b"192.0.2.2", b"192.0.2.3", b""]
    assert decode(retrieved).entries == 3


def test_each_file_of_a_folder_has_its_own_header_or_document(folder: Path) -> None:
    for name, address in (("a", "192.0.2.1"), ("b", "192.0.2.2")):
        (folder / f"{name}.csv").write_text(f"ip,why\n{address},x\n", encoding="ascii")
        (folder / f"{name}.json").write_text(f'["{address}"]\n', encoding="ascii")
    expected = AddressSet.of("192.0.2.1", "192.0.2.2")
    table = retrieve(folder, folder, pattern="*.csv", layout="csv", column="ip")
    assert addresses(table) == expected
    assert table is not None
    assert decode(table).skipped == ()
    documents = retrieve(folder, folder, pattern="*.json", layout="json", json_path="$[*]")
    assert addresses(documents) == expected


# Watched: what did not change costs a look.


def test_an_unchanged_folder_is_not_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.txt").write_bytes(b"192.0.2.1\n")
    first = retrieve(folder, folder)
    monkeypatch.setattr(files, "read", lambda *_, **__: pytest.fail("a file was read"))
    assert retrieve(folder, folder, known=first) is None


@pytest.mark.parametrize("what", ["written", "touched", "replaced", "come", "gone", "renamed"])
def test_any_change_of_a_folder_is_seen(folder: Path, what: str) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"192.0.2.1\n")
    (folder / "b.txt").write_bytes(b"192.0.2.2\n")
    first = retrieve(folder, folder)
    was = path.stat()
    if what == "written":  # the same size, and the moment it had before, as some copies leave it
        while path.stat().st_ctime_ns == was.st_ctime_ns:  # the kernel's clock ticks every 4 ms
            path.write_bytes(b"192.0.2.9\n")
            os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    elif what == "touched":
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
    elif what == "replaced":
        aside = folder / ".aside"
        aside.write_bytes(b"192.0.2.9\n")
        os.utime(aside, ns=(was.st_atime_ns, was.st_mtime_ns))
        aside.replace(path)
    elif what == "come":
        (folder / "c.txt").write_bytes(b"192.0.2.3\n")
    elif what == "gone":
        path.unlink()
    else:
        path.rename(folder / "z.txt")
    assert retrieve(folder, folder, known=first) is not None


def test_a_list_that_is_read_otherwise_than_before_is_not_unchanged(folder: Path) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"192.0.2.1,192.0.2.2\n")
    first = retrieve(path, folder, layout="csv", column="1")
    again = retrieve(path, folder, layout="csv", column="2", known=first)
    assert addresses(again) == AddressSet.of("192.0.2.2")


def test_a_file_that_changed_since_the_look_is_not_taken(folder: Path) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"192.0.2.1\n")
    (seen,) = look(path, pattern="*", roots=[folder], max_files=1)
    assert read_of(seen) == b"192.0.2.1\n"
    path.write_bytes(b"192.0.2.1\n192.0.2.2\n")
    assert read_of(seen) is None
    path.unlink()
    assert read_of(seen) is None
    path.symlink_to("/etc/passwd")
    assert read_of(seen) is None


def read_of(seen: Seen) -> bytes | None:
    return read(seen, max_bytes=1000, deadline=Deadline.after(10))


def test_a_folder_that_is_moved_away_under_the_look_leads_nowhere(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "a.txt").write_bytes(b"192.0.2.1\n")
    (seen,) = look(inner, pattern="*", roots=[folder], max_files=1)
    away = folder.parent / "away"
    inner.rename(away)
    inner.symlink_to(away)
    assert read_of(seen) is None


@pytest.mark.parametrize(("changes", "is_read"), [(1, True), (2, True), (6, False)])
def test_a_file_that_changes_while_it_is_read_is_read_again_and_not_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, changes: int, is_read: bool
) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"192.0.2.0\n")
    left = iter(range(changes))

    def look_and_change(*arguments: Any, **options: Any) -> tuple[Seen, ...]:
        seen = look(*arguments, **options)
        if next(left, None) is not None:
            path.write_bytes(path.read_bytes() + b"192.0.2.1\n")
        return seen

    monkeypatch.setattr(files, "look", look_and_change)
    if is_read:
        retrieved = retrieve(path, folder)
        assert retrieved is not None
        assert decode(retrieved).entries == 1 + changes
    else:
        with pytest.raises(StillChanging, match="changed each of 3 times"):
            retrieve(path, folder)


# Out of bounds.


def test_a_link_out_of_the_allowed_folders_is_refused(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_bytes(b"192.0.2.1\n")
    (folder / "link.txt").symlink_to(outside)
    (folder / "door").symlink_to(tmp_path)
    (folder / "a.txt").write_bytes(b"192.0.2.1\n")
    for path in (folder / "link.txt", folder / "door" / "secret.txt", folder / "door", folder):
        with pytest.raises(LeadsOutside, match=r"leads to .*, which is in none of the folders"):
            retrieve(path, folder, pattern="*.txt")


def test_a_link_within_the_allowed_folders_is_followed(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"192.0.2.1\n")
    (folder / "b.txt").symlink_to("a.txt")
    assert addresses(retrieve(folder / "b.txt", folder)) == AddressSet.of("192.0.2.1")


def test_an_allowed_folder_may_be_a_link_itself(folder: Path, tmp_path: Path) -> None:
    (folder / "a.txt").write_bytes(b"192.0.2.1\n")
    link = tmp_path / "lists"
    link.symlink_to(folder)
    assert addresses(retrieve(link / "a.txt", link)) == AddressSet.of("192.0.2.1")


@pytest.mark.parametrize("target", ["/proc/self/environ", "/dev/zero", "/sys/kernel"])
def test_the_kernels_own_files_are_no_lists_even_where_all_is_allowed(
    folder: Path, target: str
) -> None:
    with pytest.raises(SourceMisconfigured, match=r"^path must lie in a folder"):
        source_of(Path(target), Path("/"))
    (folder / "link").symlink_to(target)
    with pytest.raises(LeadsOutside):
        retrieve(folder / "link", Path("/"))


@contextmanager
def listening(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        yield


def test_a_pipe_or_a_socket_is_refused_and_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with listening(folder / "socket"):
        for name in ("pipe", "socket"):
            with pytest.raises(NotAFile, match="neither a file nor a folder"):
                retrieve(folder / name, folder)
        with pytest.raises(FolderEmpty):
            retrieve(folder, folder)


def test_a_pipe_that_took_the_place_of_a_file_is_not_waited_for(folder: Path) -> None:
    path = folder / "a.txt"
    path.write_bytes(b"192.0.2.1\n")
    (seen,) = look(path, pattern="*", roots=[folder], max_files=1)
    path.unlink()
    os.mkfifo(path)
    assert read_of(seen) is None


def test_what_is_missing_is_looked_for_again(folder: Path) -> None:
    with pytest.raises(FileMissing, match="does not exist"):
        retrieve(folder / "a.txt", folder)
    with pytest.raises(FolderEmpty, match=r"holds no file \*\.txt"):
        retrieve(folder, folder, pattern="*.txt")


def test_what_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    with pytest.raises(FileUnreadable, match="levels of symbolic links"):
        retrieve(folder / "loop", folder)
    path = folder / "a.txt"
    path.write_bytes(b"192.0.2.1\n")
    path.chmod(0)
    with as_nobody(), pytest.raises(FileUnreadable, match="Permission denied"):
        retrieve(path, folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# Row 5 of the failures: a file that is empty, or a page.


@pytest.mark.parametrize("body", [b"", b"# nothing\n", b"\n\n"])
def test_an_empty_file_is_an_empty_list(folder: Path, body: bytes) -> None:
    (folder / "a.txt").write_bytes(body)
    with pytest.raises(FilesEmpty) as raised:
        retrieve(folder / "a.txt", folder)
    assert isinstance(raised.value, EmptyList)
    (folder / "b.txt").write_bytes(b"192.0.2.1\n")
    assert addresses(retrieve(folder, folder)) == AddressSet.of("192.0.2.1")


@pytest.mark.parametrize("body", [b"<html><title>Error</title>", b"\x7fELF\0\0", b'{"a": 1}'])
def test_one_file_that_is_no_list_spoils_the_folder(folder: Path, body: bytes) -> None:
    (folder / "a.txt").write_bytes(b"192.0.2.1\n")
    (folder / "b.txt").write_bytes(body)
    with pytest.raises(FileIsNoList, match=r"/b\.txt: "):
        retrieve(folder, folder)


# Row 19 of the failures: memory that grows with what is there.


def test_files_over_the_bound_are_refused_in_bounded_memory(folder: Path) -> None:
    with (folder / "a.txt").open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of nothing
    tracemalloc.start()
    try:
        with pytest.raises(FilesTooLarge, match=r"over max_bytes \(1,048,576\)"):
            retrieve(folder, folder, max_bytes=1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_the_bound_holds_over_all_files_together(folder: Path) -> None:
    for name in "abc":
        (folder / name).write_bytes(b"192.0.2.1\n" * 25)
    assert retrieve(folder, folder, max_bytes=750) is not None
    with pytest.raises(FilesTooLarge):
        retrieve(folder, folder, max_bytes=749)
    with pytest.raises(FilesTooLarge, match=r"more than max_files \(2\)"):
        retrieve(folder, folder, max_files=2)


def test_a_reading_ends_at_its_deadline(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"192.0.2.1\n")
    with pytest.raises(ReadTooSlowly):
        source_of(folder, folder).retrieve(known=None, deadline=Deadline.after(0))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"path": "lists/a.txt"}, "path"),
        ({"path": "/srv/lists/../a.txt"}, "path"),
        ({"path": "/srv/lists/a\0.txt"}, "path"),
        ({"path": "/srv/lists/a\ud800.txt"}, "path"),
        ({"path": "/srv/lists-of-others/a.txt"}, "path"),
        ({"path": "/etc/passwd"}, "path"),
        ({"roots": []}, "path"),
        ({"pattern": "../*"}, "pattern"),
        ({"layout": "json", "path": "/srv/lists/a.txt"}, "json_path"),
        ({"max_files": 0}, "max_files"),
        ({"max_bytes": 1}, "max_bytes"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(
    wrong: dict[str, object], named: str
) -> None:
    good = {"path": "/srv/lists/a.txt", "roots": ["/srv/lists"]}
    with pytest.raises(SourceMisconfigured, match=rf"^{named}\b"):
        FileSource.from_settings({**good, **wrong})
