"""The settings that say how a text holds its entries, the same for every kind that brings text."""

from __future__ import annotations

import jsonpath_rfc9535

from policies.sources.base import Layout, SourceMisconfigured
from policies.sources.settings import Settings, shown

LAYOUTS = ("lines", "dshield", "csv", "json")
LAYOUT_SETTINGS = ("layout", "column", "separator", "path")

_LONGEST = 200
_SEPARATORS = {"": ",", "tab": "\t"}


def read_layout(read: Settings, *, path_key: str = "path") -> Layout:
    """Return the layout of the settings; raise `SourceMisconfigured`.

    `path_key` is the setting of the JSONPath, for a kind whose `path` is something else.
    """
    kind = read.choice("layout", default="lines", among=LAYOUTS)
    if kind == "csv":
        return Layout(kind=kind, column=_column(read), separator=_separator(read))
    if kind == "json":
        return Layout(kind=kind, path=_json_path(read, path_key))
    return Layout(kind=kind)


def _column(read: Settings) -> str:
    column = read.text("column")
    if len(column) > _LONGEST or (column.isdecimal() and not 1 <= int(column) <= 1000):
        raise SourceMisconfigured(
            f"column must be a number from 1 to 1000 or a name in the header, not {shown(column)}"
        )
    return column


def _separator(read: Settings) -> str:
    given = read.optional("separator", longest=10)
    separator = _SEPARATORS.get(given, given)
    if len(separator) != 1 or separator in '"#' or separator.isalnum():
        raise SourceMisconfigured(
            f'separator must be one character such as "," or ";", or "tab", not {shown(given)}'
        )
    return separator


def _json_path(read: Settings, key: str) -> str:
    path = read.text(key)
    if len(path) > _LONGEST:
        raise SourceMisconfigured(f"{key} must have at most {_LONGEST} characters")
    try:
        jsonpath_rfc9535.compile(path)
    except (jsonpath_rfc9535.JSONPathError, ValueError, RecursionError) as error:
        raise SourceMisconfigured(
            f"{key} must be a JSONPath (RFC 9535) such as $.prefixes[*].ip_prefix, "
            f"not {shown(path)}: {error}"
        ) from error
    return path
