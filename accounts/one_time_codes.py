"""The codes of a phone (RFC 6238) and recovery codes; values in, values out."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

from django_otp.oath import TOTP

STEP_SECONDS = 30
TOLERANCE = 1  # steps, for a phone whose clock is a little off
RECOVERY_CODES = 10
_SECRET_BYTES = 20
# Read aloud and written by hand: without 0, 1, I and O.
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_LETTERS_A_CODE = 16  # of 5 bits each: too many to guess, so that a plain digest is enough
_DIGITS = re.compile(r"[0-9]{6}")


def new_secret() -> str:
    """Return a secret as phones take it, in base32."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def code_at(secret: str, moment: datetime) -> str:
    """Return the code that a phone shows at a moment."""
    return f"{_totp(secret, moment).token():06d}"


def step_of(secret: str, code: str, *, after: int, now: datetime) -> int | None:
    """Return the time step of a code that is good now and newer than `after`; None for others.

    An `after` beyond what is good now is of a clock that was set back since, and says nothing.
    """
    if not _DIGITS.fullmatch(code):
        return None
    totp = _totp(secret, now)
    newest = totp.t() + TOLERANCE
    least = after + 1 if after <= newest else 0
    return totp.t() if totp.verify(int(code), TOLERANCE, least) else None


def _totp(secret: str, moment: datetime) -> TOTP:
    totp = TOTP(base64.b32decode(secret), step=STEP_SECONDS)
    totp.time = moment.timestamp()
    return totp


def address_for_phones(secret: str, *, user: str, issuer: str) -> str:
    """Return the `otpauth:` address that a phone reads from a picture."""
    label = quote(f"{issuer}:{user}", safe="")
    parameters = urlencode({"secret": secret, "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{label}?{parameters}"


def new_recovery_codes() -> tuple[str, ...]:
    """Return ten codes, such as `7KQ2-M4XB-9TRC-WH3E`."""
    return tuple(_new_recovery_code() for _ in range(RECOVERY_CODES))


def _new_recovery_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_LETTERS_A_CODE))
    return "-".join(letters[start : start + 4] for start in range(0, _LETTERS_A_CODE, 4))


def digest_of(recovery_code: str) -> str:
    """Return how a recovery code is kept; blanks, hyphens and small letters make no difference."""
    letters = re.sub(r"[\s-]", "", recovery_code).upper()
    return hashlib.sha256(letters.encode()).hexdigest()


def plain_code(text: str) -> str:
    """Return a phone's code without the blanks that people put into it."""
    return re.sub(r"\s", "", text)
