"""Reading the JSON settings of a source, so that every refusal names the setting and its rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from policies.sources.base import SourceMisconfigured

_SHOWN = 80  # characters of a wrong value that a message repeats


def shown(value: object) -> str:
    """Return `value` for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one source, read key by key."""

    values: Mapping[str, object]

    def only(self, accepted: Collection[str]) -> None:
        """Raise `SourceMisconfigured` where a key is none of `accepted`."""
        for key in self.values:
            if key not in accepted:
                known = ", ".join(sorted(accepted))
                raise SourceMisconfigured(f"{shown(key)} is not a setting here; these are: {known}")

    def text(self, key: str) -> str:
        """Return the text under `key`, stripped; it must be there and not be empty."""
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            raise SourceMisconfigured(f"{key} must be a text that is not empty, not {shown(value)}")
        return value.strip()

    def optional(self, key: str, *, longest: int, secret: bool = False) -> str:
        """Return the text under `key`, stripped, "" where it is not given.

        A value that is `secret` is not repeated in the refusal.
        """
        value = self.values.get(key, "")
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > longest:
            found = "what is there" if secret else shown(value)
            raise SourceMisconfigured(
                f"{key} must be a text of at most {longest:,} characters, not {found}"
            )
        return value.strip()

    def integer(self, key: str, *, default: int, low: int, high: int) -> int:
        """Return the whole number under `key`, between `low` and `high`."""
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise SourceMisconfigured(
                f"{key} must be a whole number from {low} to {high}, not {shown(value)}"
            )
        return value

    def choice(self, key: str, *, default: str, among: Collection[str]) -> str:
        """Return the word under `key`, one of `among`."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or value not in among:
            raise SourceMisconfigured(
                f"{key} must be one of {', '.join(sorted(among))}, not {shown(value)}"
            )
        return value

    def optional_texts(self, key: str, *, most: int, longest: int) -> tuple[str, ...]:
        """Return the list of texts under `key`, none where it is not given."""
        if self.values.get(key) is None:
            return ()
        return self.texts(key, most=most, longest=longest, fewest=0)

    def boolean(self, key: str, *, default: bool) -> bool:
        """Return the yes or no under `key`."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise SourceMisconfigured(f"{key} must be true or false, not {shown(value)}")
        return value

    def texts(self, key: str, *, most: int, longest: int, fewest: int = 1) -> tuple[str, ...]:
        """Return the list of texts under `key`: so many, and each of a bounded length."""
        value = self.values.get(key)
        if not isinstance(value, list | tuple) or not fewest <= len(value) <= most:
            raise SourceMisconfigured(f"{key} must be a list of {fewest} to {most} texts")
        for item in value:
            if not isinstance(item, str) or not 0 < len(item.strip()) <= longest:
                raise SourceMisconfigured(
                    f"{key} must hold texts of 1 to {longest} characters, not {shown(item)}"
                )
        return tuple(item.strip() for item in value)
