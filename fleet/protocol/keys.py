"""Device keys: as people type them, and what is derived from them."""

from __future__ import annotations

import base64
import binascii
import re
import secrets

import dns.name
import dns.tsig
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fleet.protocol.base import DeviceKey
from fleet.protocol.names import label
from fleet.protocol.values import utf8

MAX_GENERATION = 9999

_BYTES = 32
_NONCE_BYTES = 12
_TSIG, _SEAL = b"tscm web automation tsig 1", b"tscm web automation seal 1"
_TEXT = re.compile(r"tscmdk(?P<generation>[1-9][0-9]{0,3})_(?P<secret>[A-Za-z0-9_-]{43})")


class KeyUnreadable(ValueError):
    """A text that is no device key; the message never repeats it."""


class SealBroken(ValueError):
    """A sealed text that this key does not open, or that stood elsewhere when it was sealed."""


def new_key(*, generation: int = 1) -> DeviceKey:
    """Return a key that nobody has seen; raise ValueError after generation 9999."""
    if not 1 <= generation <= MAX_GENERATION:
        raise ValueError(f"a device has had {MAX_GENERATION} keys: make a new entry for it")
    return DeviceKey(generation, secrets.token_bytes(_BYTES))


def key_text(key: DeviceKey) -> str:
    """Return the key as an administrator types it."""
    return f"tscmdk{key.generation}_{base64.urlsafe_b64encode(key.secret).decode().rstrip('=')}"


def read_key(text: str) -> DeviceKey:
    """Return the key that `key_text` wrote; blanks around it do no harm.

    Raises `KeyUnreadable`.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is not None:
        secret = base64.urlsafe_b64decode(match["secret"] + "=")
        key = DeviceKey(int(match["generation"]), secret)
        if key_text(key) == match[0]:  # the last character has bits that must be zero
            return key
    raise KeyUnreadable(
        "this is not a device key: one begins with tscmdk, a number and _, and goes on with 43 "
        "characters. Copy it from the device's page on the portal"
    )


def tsig_name(device_id: str, generation: int) -> str:
    """Return the name of a device's TSIG key; raise `NotADeviceId`."""
    name = label(device_id)
    return name if generation == 1 else f"g{generation}-{name}"


def tsig_secret(device_id: str, key: DeviceKey) -> bytes:
    """Return the secret of a device's TSIG key, 32 bytes; raise `NotADeviceId`."""
    return _derived(device_id, key, _TSIG)


def tsig_key(device_id: str, key: DeviceKey) -> dns.tsig.Key:
    """Return a device's TSIG key, hmac-sha256; raise `NotADeviceId`."""
    name = dns.name.from_text(tsig_name(device_id, key.generation))
    return dns.tsig.Key(name, tsig_secret(device_id, key), dns.tsig.HMAC_SHA256)


def seal(text: str, *, key: DeviceKey, device_id: str, name: str) -> str:
    """Return a text so that only the holder of the key reads it, and only under this name.

    Each call returns another text, so compare what was sealed. Raises `NotADeviceId` or
    `ValueRefused`.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    cipher = AESGCM(_derived(device_id, key, _SEAL))
    sealed = cipher.encrypt(nonce, utf8(text), _place(device_id, name))
    return base64.b64encode(nonce + sealed).decode()


def unseal(text: str, *, key: DeviceKey, device_id: str, name: str) -> str:
    """Return what was sealed under this name; raise `SealBroken` or `NotADeviceId`."""
    cipher = AESGCM(_derived(device_id, key, _SEAL))
    try:
        raw = base64.b64decode(text, validate=True)
        nonce, sealed = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        return cipher.decrypt(nonce, sealed, _place(device_id, name)).decode()
    except (binascii.Error, InvalidTag, ValueError) as error:
        raise SealBroken(f"{name}: the sealed text does not open with this device key") from error


def _derived(device_id: str, key: DeviceKey, purpose: bytes) -> bytes:
    """Derive a key for one purpose (HKDF, RFC 5869)."""
    salt = label(device_id).encode()
    return HKDF(algorithm=SHA256(), length=_BYTES, salt=salt, info=purpose).derive(key.secret)


def _place(device_id: str, name: str) -> bytes:
    return f"{label(device_id)}/{name}".encode()
