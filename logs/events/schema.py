"""The columns of an events file.

A file is one Parquet file of connections of one day (UTC), about in the order of time. Addresses
are 128 bits in two words, IPv4 mapped into IPv6 (RFC 4291 2.5.5.2), and stand by which end is the
site's: where `direction` is 0 (in), the source is outside; where it is 1 (out), the destination is.
Numbers are no wider than they must be: most of a column's cost is its bytes.
"""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """One column: its name, and DuckDB's word for its type."""

    name: str
    type: str


COLUMNS: tuple[Column, ...] = (
    Column("moment", "TIMESTAMP"),  # UTC
    Column("device", "UINTEGER"),  # primary key
    Column("direction", "UTINYINT"),  # 0 in, 1 out
    Column("action", "UTINYINT"),  # `logs.parsers.base.Action`
    Column("inside_high", "UBIGINT"),
    Column("inside_low", "UBIGINT"),
    Column("outside_high", "UBIGINT"),
    Column("outside_low", "UBIGINT"),
    Column("source_port", "USMALLINT"),  # 0: unsaid
    Column("destination_port", "USMALLINT"),
    Column("protocol", "UTINYINT"),  # IANA's number
    Column("said", "VARCHAR"),  # what the firewall calls the list or rule
    Column("list_id", "UINTEGER"),  # the source that holds the outside address; 0: none does
    Column("list_name", "VARCHAR"),  # its name at that time
    Column("entry_length", "UTINYINT"),  # of its entry around that address, a prefix
    Column("entry_range", "VARCHAR"),  # the entry, where it is no prefix
    Column("snapshot", "UINTEGER"),  # primary key of what was in force; 0: nothing known
    Column("batch", "UBIGINT"),  # primary key
    Column("line_offset", "UBIGINT"),  # of the line in the batch, bytes
    Column("line_size", "UINTEGER"),  # without its end, bytes
)
NAMES = tuple(column.name for column in COLUMNS)
MAPPED = 0xFFFF << 32  # the low word of 0.0.0.0
IN, OUT = 0, 1
