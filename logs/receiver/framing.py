"""Where one message on a stream ends and the next begins (RFC 6587), told frame by frame.

A frame that begins with a plausible octet count, a space and `<` is counted; any other ends at LF,
CRLF or NUL. A block in which every line is plain is passed on as it is: only its ends of line are
looked at, all at once. Everything else takes the slow way.
"""

from __future__ import annotations

import re

import numpy as np

from logs.receiver.oddities import Tally

# Messages of 64 KiB must be taken whole; this leaves room for their headers.
MOST = 128 * 1024
_LF = 10
_END = re.compile(rb"[\n\0]")
_COUNTED = re.compile(rb"([1-9][0-9]{0,5}) (?=<)")
_NEXT_COUNTED = re.compile(rb"\n(?=[1-9][0-9]{0,5} <)")
_COUNT_BEGUN = re.compile(rb"[1-9][0-9]{0,5} ?\Z")
# A counted message of several lines has none of these inside; a wrong guess most likely has.
_INNER_HEAD = re.compile(rb"\n<[0-9]{1,3}>")
# What may follow a counted frame: another one, a line, or an end of line.
_MAY_FOLLOW = frozenset(b"0123456789<\n\r\0")
# An IOS header, with its number or its time behind the priority.
_IOS = re.compile(rb"<[0-9]{1,3}>(?:[0-9]+: |[*.:]? ?[A-Z][a-z]{2} [ 0-9][0-9] )")
_ODD_FIRST = np.zeros(256, dtype=np.bool_)
_ODD_FIRST[list(b" \n\0")] = True

Lines = tuple[bytes, int]  # lines that each end in LF, and how many they are
NOTHING: Lines = (b"", 0)


def mark_of_cut(dropped: int) -> bytes:
    """Return what is written behind a message that was cut."""
    return b" [cut here, %d bytes more]" % dropped


class Framer:
    """One stream's messages. `feed` and `flush` never raise, whatever comes."""

    __slots__ = ("_dropped", "_rest", "_skip", "_tally")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._rest = b""  # the beginning of a frame
        self._dropped = 0  # bytes of it beyond MOST; its end is still to come
        self._skip = 0  # bytes still to come of a counted frame of which no more is kept

    @property
    def held(self) -> int:
        """How many bytes of an unfinished frame are in memory."""
        return len(self._rest)

    @property
    def is_counted(self) -> bool:
        """Whether it waits for the rest of a counted frame: that has no end but its count."""
        head = _COUNTED.match(self._rest)
        return head is not None and len(self._rest) < head.end() + int(head[1])

    def feed(self, block: bytes) -> Lines:
        """Return the lines that are whole now."""
        self._tally.bytes += len(block)
        if self._skip:
            skipped = min(self._skip, len(block))
            self._skip -= skipped
            block = block[skipped:]
        if self._dropped:
            return self._end_of_cut(block)
        data = self._rest + block if self._rest else block
        at, found = self._whole(data)
        self._rest = data[at:]
        if len(self._rest) > MOST:
            found.append(self._shortened_frame() if self.is_counted else self._shortened_rest())
        return self._passed(found)

    def flush(self) -> Lines:
        """Return what is left as a line: the connection ended, or paused for long."""
        if not self._rest:
            return NOTHING
        self._tally.unterminated += 1
        # With lines in it the count most likely is none.
        is_frame = self.is_counted and b"\n" not in self._rest
        return self._passed([self._cut_frame() if is_frame else self._taken_rest()])

    def _end_of_cut(self, block: bytes) -> Lines:
        """Drop up to the end of a line that was too long, then go on."""
        end = _END.search(block)
        if end is None:
            self._dropped += len(block)
            return NOTHING
        self._dropped += end.start()
        line = self._taken_rest()
        at, found = self._whole(block[end.end() :])
        self._rest = block[end.end() + at :]
        return self._passed([line, *found])

    def _shortened_rest(self) -> Lines:
        """Return the IOS messages of a rest that is too long and has no end, or cut it."""
        text = self._rest
        begins = [head.start() for head in _IOS.finditer(text)] if _IOS.match(text) else [0]
        self._rest = text[begins[-1] :]
        if len(self._rest) > MOST:
            self._dropped = len(self._rest) - MOST
            self._rest = self._rest[:MOST]
        return _mended(text[: begins[-1]] + b"\n", self._tally) if begins[-1] else NOTHING

    def _shortened_frame(self) -> Lines:
        """Return a counted frame that is too long as a line, cut, or nothing while it is not."""
        head = _COUNTED.match(self._rest)
        if head is None or int(head[1]) <= MOST or len(self._rest) < head.end() + MOST:
            return NOTHING
        if _INNER_HEAD.search(self._rest, head.end()):  # a count that is none: these are lines
            self._tally.resynchronised += 1
            end, lines = self._text(self._rest, 0)
            self._rest = self._rest[end:]
            return lines
        return self._cut_frame()

    def _cut_frame(self) -> Lines:
        """Return what there is of a counted frame as a line; the rest of it will be passed over."""
        head = _COUNTED.match(self._rest)
        begin = head.end() if head else 0
        self._skip = begin + int(head[1]) - len(self._rest) if head else 0
        kept = escaped(self._rest[begin : begin + MOST], self._tally)
        dropped = self._skip + max(0, len(self._rest) - begin - MOST)
        self._tally.cut += 1
        self._tally.octet_counted += 1
        self._rest = b""
        return kept + mark_of_cut(dropped) + b"\n", 1

    def _taken_rest(self) -> Lines:
        """Return the rest as a line, marked if it was longer, and begin anew."""
        text, lines = _mended(self._rest + b"\n", self._tally)
        if self._dropped:
            self._tally.cut += 1
            text = text[:-1] + mark_of_cut(self._dropped) + b"\n"
        self._rest, self._dropped = b"", 0
        return text, lines

    def _whole(self, data: bytes) -> tuple[int, list[Lines]]:
        """Return where the first unfinished frame begins, and the frames before it."""
        at, found = 0, []
        while at < len(data):
            counted = _COUNTED.match(data, at)
            if counted is not None:
                end, lines = self._counted(data, at)
            else:
                end, lines = self._text(data, at)
            if end == at:
                break
            at = end
            found.append(lines)
        return at, found

    def _counted(self, data: bytes, at: int) -> tuple[int, Lines]:
        """Return the end of a run of counted frames and what they hold; `at` if none is whole."""
        messages: list[bytes] = []
        while (head := _COUNTED.match(data, at)) is not None:
            begin, end = head.end(), head.end() + int(head[1])
            if end > len(data):
                break
            if not _is_plausible(data, begin, end):
                if messages:
                    break  # what begins here is looked at anew
                self._tally.resynchronised += 1
                return self._text(data, at)
            messages.append(cut(data[begin:end], MOST, self._tally))
            at = end
        self._tally.octet_counted += len(messages)
        return at, _joined(messages, self._tally)

    def _text(self, data: bytes, at: int) -> tuple[int, Lines]:
        """Return the end of a run of lines and what they hold; `at` if none is whole."""
        following = _NEXT_COUNTED.search(data, at)
        end = following.end() if following else data.rfind(b"\n", at) + 1
        if end <= at:
            end = data.rfind(b"\0", at) + 1  # of a sender that ends its messages with NUL
        if end <= at:
            return at, NOTHING
        text = data[at:end] if at or end < len(data) else data
        return end, clean(text, self._tally)

    def _passed(self, found: list[Lines]) -> Lines:
        lines = sum(count for _, count in found)
        self._tally.messages += lines
        if len(found) == 1:
            return found[0]
        return b"".join(data for data, _ in found), lines


def clean(text: bytes, tally: Tally) -> Lines:
    """Return a text that ends with LF or NUL as lines: as it is, where nothing is odd about it."""
    array = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(array == _LF)
    lines = len(ends)
    if (
        not lines
        or text[-1] != _LF
        or b"\r" in text
        or b"\0" in text
        or _ODD_FIRST[text[0]]
        or _ODD_FIRST[array[ends[:-1] + 1]].any()
        or _longest(ends) > MOST
        or np.count_nonzero(array == ord("<")) > lines
    ):
        return _mended(text, tally)
    return text, lines


def escaped(message: bytes, tally: Tally) -> bytes:
    """Return one message as a line: LF and NUL inside are written #012 and #000, as by rsyslog."""
    message = message.rstrip(b"\r\n\0")
    if b"\0" in message:
        tally.nul += 1
        message = message.replace(b"\0", b"#000")
    if b"\n" in message:
        tally.newlines += 1
        message = message.replace(b"\r\n", b"#012").replace(b"\n", b"#012")
    return message


def cut(message: bytes, most: int, tally: Tally) -> bytes:
    """Return a message of at most `most` bytes and, where it was longer, a mark."""
    if len(message) <= most:
        return message
    tally.cut += 1
    return message[:most] + mark_of_cut(len(message) - most)


def _longest(ends: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> int:
    """Return the length of the longest line."""
    return max(int(ends[0]), int(np.diff(ends).max()) - 1 if len(ends) > 1 else 0)


def _is_plausible(data: bytes, begin: int, end: int) -> bool:
    """Tell whether a counted message ends where a frame can end; at the end of the data it does.

    Nothing is copied: whoever sends false counts would have all of them copied.
    """
    if _COUNTED.match(data, end) or _COUNT_BEGUN.match(data, end):
        return True
    if end == len(data):
        return _INNER_HEAD.search(data, begin, end) is None
    return data[end] in _MAY_FOLLOW and data.find(b"\n", begin, end - 1) < 0


def _joined(messages: list[bytes], tally: Tally) -> Lines:
    """Return counted messages as lines."""
    if not messages:
        return NOTHING
    text = b"\n".join(messages) + b"\n"
    if text.count(b"\n") != len(messages) or b"\0" in text or b"\r" in text:
        kept = [line for line in (escaped(message, tally) for message in messages) if line]
        tally.empty += len(messages) - len(kept)
        return b"".join(line + b"\n" for line in kept), len(kept)
    return text, len(messages)


def _mended(text: bytes, tally: Tally) -> Lines:
    """Return a text as plain lines, counting whatever was odd."""
    if b"\0" in text:
        tally.nul += text.count(b"\0")
        text = text.replace(b"\0", b"\n")
    text = text.replace(b"\r\n", b"\n")
    raw = text.removesuffix(b"\n").split(b"\n")
    kept = [line[1:] if line[:1] == b" " else line for line in raw]  # Cisco puts a space in front
    lines = [part for line in kept if line for part in _apart(line, tally)]
    tally.empty += sum(1 for line in kept if not line)
    lines = [cut(line, MOST, tally) for line in lines]
    return b"".join(line + b"\n" for line in lines), len(lines)


def _apart(line: bytes, tally: Tally) -> list[bytes]:
    """Return the messages of a line: IOS may send several without anything between them."""
    if line.count(b"<") < 2 or _IOS.match(line) is None:
        return [line]
    begins = [head.start() for head in _IOS.finditer(line)]
    tally.run_together += len(begins) - 1
    return [line[a:b] for a, b in zip(begins, [*begins[1:], len(line)], strict=True)]
