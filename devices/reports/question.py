"""What somebody asks: which addresses, and at which moment. One way to read it for every edge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from netsets.span import Span

EXAMPLES = "such as 192.0.2.7, 192.0.2.0/24 or 192.0.2.10-192.0.2.20"


class QuestionRefused(ValueError):
    """A question that means nothing; `parameter` is address or at."""

    def __init__(self, parameter: str, message: str) -> None:
        """Keep the parameter apart from the sentence."""
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Question:
    """Addresses, and the moment they are asked about; None for now."""

    span: Span
    at: datetime | None = None

    @classmethod
    def read(cls, *, address: str, at: str, now: datetime) -> Self:
        """Read what was typed; an empty `at` is now. Raises QuestionRefused."""
        try:
            span = Span.of(address.strip())
        except ValueError as error:
            raise QuestionRefused("address", f"{error}. Write one {EXAMPLES}.") from error
        return cls(span, _moment(at.strip(), now=now) if at.strip() else None)


def _moment(text: str, *, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        # Without a zone it is UTC, as every time that is shown.
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise QuestionRefused(
            "at", f"{text!r} is no moment. Write one such as {now:%Y-%m-%dT%H:%M}Z."
        ) from error
    if moment > now:
        raise QuestionRefused("at", f"{moment:%Y-%m-%d %H:%M:%S} UTC lies in the future.")
    return moment
