"""What a text looks like before anybody reads it: a list, a page for people, or nothing at all."""

from __future__ import annotations

import html
import re

from policies.sources.base import Layout

_EXCERPT = 80
_HEAD = 4096  # bytes of a text that tell its kind

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_JSON = re.compile(rb'\{|\[\s*["{\[\]]')
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>?")
_ENTRY_LINE = re.compile(rb"^[ \t\r\v\f]*+(?!//)[^#;\s]", re.MULTILINE)
_MARKUP_TYPES = frozenset({"text/html", "application/xhtml+xml"})


def not_a_list(text: bytes, *, layout: Layout, content_type: str = "") -> str:
    """Return what `text` is instead of a list in that layout, with an excerpt; "" where it may be.

    This catches what would otherwise be read as a list with many rejects; whether a text really
    is a list, its decoder says.
    """
    head = text[:_HEAD].removeprefix(BYTE_ORDER_MARK).lstrip()
    if content_type.partition(";")[0].strip().lower() in _MARKUP_TYPES or head.startswith(b"<"):
        return f"a web page came instead of a list ({_excerpt(head)})"
    if b"\0" in head:
        return "the text is binary, or in UTF-16"
    if layout.kind != "json" and _JSON.match(head):
        return f"JSON came where {layout.kind} are set as the layout ({_excerpt(head)})"
    return ""


def holds_nothing(text: bytes, *, layout: Layout) -> bool:
    """Tell whether `text` is empty, or for lines holds nothing but comments."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    if layout.kind == "lines":
        return _ENTRY_LINE.search(text) is None
    return not text.strip()


def _excerpt(head: bytes) -> str:
    """Return the title of a page, or the first words of a text."""
    text = head.decode("utf-8", "replace")
    title = _TITLE.search(text)
    words = title[1] if title else (_TAG.sub(" ", text) if text.startswith("<") else text)
    plain = " ".join("".join(c if c.isprintable() else " " for c in html.unescape(words)).split())
    shown = plain if len(plain) <= _EXCERPT else f"{plain[:_EXCERPT]}…"
    return f"“{shown}”" if shown else "without words"
