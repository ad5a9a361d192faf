"""A block of lines: each counted once, in order, with the moment it came and the place it has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, strategies as st

from logs.parsers import block
from logs.parsers.base import Action, Arrival, Event, Miss
from logs.parsers.block import Came, parse_block
from logs.parsers.one import parse_line
from tests.fakes import firewall_lines
from tests.logs.parsers import samples
from tests.logs.parsers.agreement import assert_agrees, block_of, came_at, parsed, rows
from tests.logs.parsers.lines import CAME, arrival, micros

NOISE = [b"", b"garbage", b"\xff\x00", b"<134>Mar  1 01:02:36 host app[1]: up 12 days", b"x" * 3000]
LINES = [
    *firewall_lines.firepower(6, seed=3), *firewall_lines.netfilter(6, seed=3), *NOISE,
    samples.FTD_BLOCK, samples.ASA_DENY, samples.PANOS_DROP, samples.KERNEL_V6,
    samples.FTD_BLOCK.replace(b"SrcIP: 192.0.2.7", b"SrcIP: nobody"),
]  # fmt: skip
SOON = arrival(firewall_lines.START + timedelta(minutes=5))


@pytest.mark.parametrize("kind", [firewall_lines.firepower, firewall_lines.netfilter])
def test_a_large_block_says_what_its_lines_say(kind: Callable[..., list[bytes]]) -> None:
    found = assert_agrees(kind(2500, seed=4), SOON)
    assert len(found.columns) == 2500


@given(st.lists(st.sampled_from(LINES), max_size=30))
def test_every_line_is_counted_once(lines: list[bytes]) -> None:
    found = assert_agrees(lines, SOON)
    assert found.lines == len(lines)


HEADS = [
    b"<113>2026-03-01T01:02:36Z fw-a  ", b"2026-03-01T01:02:36.123456+00:00 fw-a ",
    b"Mar  1 01:02:36 fw-a : ", b"<113>Mar 01 2026 01:02:36 fw-a : ", b"<113>",
]  # fmt: skip
TAGGED = samples.FTD_BLOCK[samples.FTD_BLOCK.index(b"%FTD") :]
AT_ONCE = [
    firewall_lines.firepower(200, seed=5), firewall_lines.netfilter(200, seed=5),
    [samples.FTD_BLOCK], [samples.FTD_MONITOR], [samples.FTD_ALLOW],
    [samples.KERNEL_TCP], [samples.KERNEL_V6], *([head + TAGGED] for head in HEADS),
]  # fmt: skip


@pytest.mark.parametrize("lines", AT_ONCE)
def test_plain_lines_are_not_read_one_by_one(
    lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    came = SOON if len(lines) > 1 else arrival()
    parsed(lines, came)  # now it knows what they mean
    asked: list[bytes] = []

    def counted(line: bytes, came: Arrival) -> Event | Miss:
        asked.append(line)
        return parse_line(line, came)

    monkeypatch.setattr(block, "parse_line", counted)
    assert len(assert_agrees(lines, came).columns) == len(lines)
    assert asked == []


def test_texts_of_a_block_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(parsed(LINES * 3, SOON).columns)
    monkeypatch.setattr(block, "CHUNK", 1000)
    in_parts = parsed(LINES * 3, SOON)
    assert rows(in_parts.columns) == whole
    assert in_parts.lines == 3 * len(LINES)


@pytest.mark.parametrize("chunk", [50, block.CHUNK])
def test_a_last_line_without_its_end_is_a_line(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "CHUNK", chunk)
    data = block_of([samples.FTD_BLOCK, samples.KERNEL_TCP])
    came = arrival()
    whole = parse_block(data, came_at(came), zone_seconds=0)
    cut = parse_block(data[:-1], came_at(came), zone_seconds=0)
    assert rows(cut.columns) == rows(whole.columns)
    assert cut.lines == 2


def test_nothing_is_no_lines() -> None:
    found = parse_block(b"", came_at(arrival()), zone_seconds=0)
    assert (found.lines, len(found.columns), found.no_connection, found.shapes) == (0, 0, 0, ())


def test_a_line_came_with_the_segment_that_holds_its_first_byte() -> None:
    line = b"kernel: ThreatSTOP-TSblock " + samples.KERNEL_TCP.partition(b"TSblock ")[2]
    data = block_of([line] * 4)
    size = len(line) + 1
    base = micros(firewall_lines.START)
    came = Came(np.array([size - 1, size, 3 * size]), np.array([base, base + 1, base + 2]))
    found = parse_block(data, came, zone_seconds=0)
    assert (found.columns.at - base).tolist() == [0, 2, 2, 2]


def test_offsets_and_segments_count_from_the_begin_of_the_batch() -> None:
    data = block_of([samples.KERNEL_TCP] * 2)
    later = 10_000
    came = Came(np.array([later, later + len(data)]), np.array([0, arrival().at]))
    found = parse_block(data, came, zone_seconds=0, offset=later)
    assert found.columns.offset.tolist() == [later, later + len(samples.KERNEL_TCP) + 1]
    assert set(found.columns.at.tolist()) == {micros(CAME - timedelta(seconds=4))}


def test_words_are_kept_once() -> None:
    found = parsed(firewall_lines.netfilter(500, seed=6), SOON)
    assert found.columns.words == ("ThreatSTOP-TSblock",)
    assert set(found.columns.action.tolist()) == {Action.DROPPED}


def test_a_memory_that_is_full_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "_MEMORY", block._Memory(most=2))
    assert_agrees(firewall_lines.firepower(200, seed=7), SOON)


def test_more_kinds_than_are_asked_about_are_read_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(block, "_MEMORY", block._Memory(most=1000))
    monkeypatch.setattr(block, "_MOST_KINDS", 3)
    assert_agrees(firewall_lines.firepower(200, seed=8), SOON)


def test_where_the_reference_is_of_another_mind_its_word_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def other(line: bytes, came: Arrival) -> Event | Miss:
        found = parse_line(line, came)
        return found._replace(source_port=7) if isinstance(found, Event) else found

    monkeypatch.setattr(block, "_MEMORY", block._Memory(most=1000))
    monkeypatch.setattr(block, "parse_line", other)
    found = parsed(firewall_lines.netfilter(50, seed=9), SOON)
    assert set(found.columns.source_port.tolist()) == {7}
