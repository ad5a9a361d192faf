"""What a client accepts and what it already holds: the headers of a request, as answers."""

from __future__ import annotations

from django.utils.http import parse_etags


def accepts_gzip(header: str) -> bool:
    """Return whether an Accept-Encoding allows gzip and likes it no less than plain text.

    A header that is missing, or that nobody can read, allows plain text only.
    """
    weights = _weights(header)
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    # RFC 9110, 12.5.3: a coding that is not named weighs nothing, plain text is always acceptable.
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def is_held(*, etag: str, last_modified: str, none_match: str, modified_since: str) -> bool:
    """Return whether the client holds exactly this representation, so that 304 is the answer.

    If-None-Match decides alone when it is there. If-Modified-Since has to name the very moment:
    a device that is moved to an older snapshot must get it, though the date goes back.
    """
    if none_match:
        tags = parse_etags(none_match)
        return "*" in tags or etag in (tag.removeprefix("W/") for tag in tags)
    return modified_since == last_modified


def _weights(header: str) -> dict[str, float]:
    """Return the codings of an Accept-Encoding with their weights; unreadable ones weigh 0."""
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        coding, _, parameter = part.partition(";")
        name, _, value = parameter.partition("=")
        if not parameter:
            weight = 1.0
        elif name.strip() == "q":
            weight = _weight(value.strip())
        else:
            weight = 0.0
        weights[coding.strip()] = weight
    return weights


def _weight(text: str) -> float:
    whole, _, rest = text.partition(".")
    if whole not in {"0", "1"} or not (rest + "0").isdecimal() or len(text) > 5:
        return 0.0
    return min(float(text), 1.0)
