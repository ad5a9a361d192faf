"""The pages of long lists."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import Paginator

MOST_ROWS = 10_000


class FirstRows(Paginator):  # type: ignore[type-arg]
    """Pages of no more rows than anybody turns over.

    To count millions, and to skip as many to the last page, would take seconds.
    """

    template_name = "console/pagination.html"  # Unfold asks for it

    @cached_property
    def count(self) -> int:
        """How many rows there are to leaf through."""
        return min(self._found, MOST_ROWS)

    @property
    def is_cut(self) -> bool:
        """Whether there are more."""
        return self._found > MOST_ROWS

    @cached_property
    def _found(self) -> int:
        # One more than that, so that a list of exactly as many is not said to be cut.
        rows: Any = self.object_list
        return int(rows.order_by()[: MOST_ROWS + 1].count())
