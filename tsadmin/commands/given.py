"""What --set gives: settings as text, as JSON, or from a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tsadmin.errors import Misused, Refused

MAX_FILE_BYTES = 1 << 20  # of a certificate or a key, which take some thousand


def read_settings(given: Iterable[str]) -> dict[str, object]:
    """Return the settings by name; raises Misused, and Refused for a file that cannot be read.

    No message repeats a value: it may be a secret.
    """
    settings: dict[str, object] = {}
    for text in given:
        name, sign, value = text.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not sign or not name:
            raise Misused("--set takes NAME=VALUE, NAME:=JSON or NAME=@FILE")
        if name in settings:
            raise Misused(f"--set gives {name} twice")
        settings[name] = _json(name, value) if is_json else _text(name, value)
    return settings


def _json(name: str, value: str) -> object:
    try:
        parsed: object = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise Misused(
            f"--set {name}:= is not followed by JSON; text is given as {name}="
        ) from error
    return parsed


def _text(name: str, value: str) -> str:
    if not value.startswith("@"):
        return value
    path = Path(value.removeprefix("@"))
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise Refused(f"--set {name}: {path} is larger than {MAX_FILE_BYTES:,} bytes")
        return content.decode().removesuffix("\n")
    except OSError as error:
        raise Refused(f"--set {name}: {path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise Refused(f"--set {name}: {path} is not UTF-8 text") from error
