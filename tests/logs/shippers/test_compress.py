"""The compressed copy beside a batch: whole or not there, whoever else is at the same batch."""

from __future__ import annotations

import gzip
from pathlib import Path

from logs.shippers.compress import Compressed, compress, compressed_path
from tests.logs.batches import closed_batch, log_text


def test_two_processes_at_one_batch_do_not_mix_what_they_write(tmp_path: Path) -> None:
    batch = closed_batch(tmp_path, text=log_text(5_000))
    others: list[Compressed] = []

    def taken_over() -> None:
        """Be the process that has the claim now, while the first one still writes."""
        if not others:
            others.append(compress(batch))

    first = compress(batch, check=taken_over)
    assert (first.size, first.sha256) == (others[0].size, others[0].sha256)
    assert gzip.decompress(compressed_path(batch).read_bytes()) == batch.path.read_bytes()
    assert not list(tmp_path.glob("*.part"))


def test_what_killed_processes_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    one, other = closed_batch(tmp_path, number=1), closed_batch(tmp_path, number=2)
    left = tmp_path / "syslog.1.gz.abcdefgh.part"
    left.write_bytes(b"half")
    seen: list[bool] = []

    def meanwhile() -> None:
        seen.append(bool(list(tmp_path.glob("syslog.2.gz.*.part"))))
        compress(one)
        seen.append(bool(list(tmp_path.glob("syslog.2.gz.*.part"))))

    compress(other, check=meanwhile)
    assert seen == [True, True]
    assert not left.exists()
    assert compressed_path(other).exists()
