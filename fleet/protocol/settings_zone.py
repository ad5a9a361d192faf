"""A device's settings as the records of a zone: written by a portal, read by the device."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product

from devices.kinds import KINDS
from fleet.protocol.base import FORMAT, DeviceKey, PolicyPlace, Settings, Value
from fleet.protocol.errors import RETRIEVE, NotOurs, NotReadable, NotWhole
from fleet.protocol.keys import KeyUnreadable, SealBroken, key_text, read_key, seal, unseal
from fleet.protocol.names import label
from fleet.protocol.values import MAX_BYTES, SEALED, OtherType, ValueRefused, decode, encode, rdata

MAX_RECORDS = 200
MAX_BODY = 500_000  # bytes of `body_of`; a device takes a mebibyte
_MAX_SEALS = 8  # of one secret, one a key

_COUNT = "_count"  # how many records the zone has, itself among them
_SETTING = re.compile(r"[a-z][a-z0-9_]{0,62}")
_UPDATE = "Update the software here, or look at the device's entry on the portal."

# A record: its owner below the zone's name, and its text.
Record = tuple[str, str]


def body_of(settings: Settings, *, sealed_with: Sequence[DeviceKey]) -> bytes:
    """Return the lines of a `ZoneContent.body` that lay these settings down.

    Secrets are sealed with each of the keys, for the device holds one of them; anew each time, so
    two bodies of the same settings differ. Raises `ValueRefused`, naming the setting, or
    `NotADeviceId`.
    """
    texts = {name: encode(value) for name, value in _own(settings) if value is not None}
    for name, value in settings.values.items():
        texts[_owner(name)] = _encoded(name, value)
    sealed = dict(settings.secrets)
    if settings.next_key is not None:
        sealed["_key"] = key_text(settings.next_key)
    for name, secret in sealed.items():
        owner = name if name == "_key" else _owner(name)
        texts[owner] = _sealed(name, secret, device_id=settings.device_id, keys=sealed_with)
    texts[_COUNT] = encode(len(texts) + 1)
    if len(texts) > MAX_RECORDS:
        raise ValueRefused(f"{len(texts)} records are more than the {MAX_RECORDS} of a device")
    lines = sorted(f"{name}\tTXT\t{_rdata(name, text)}\n" for name, text in texts.items())
    body = "".join(lines).encode()
    if len(body) > MAX_BODY:
        raise ValueRefused(f"its settings take {len(body):,} bytes of the {MAX_BODY:,} of a device")
    return body


def is_whole(records: Collection[Record]) -> bool:
    """Tell whether a zone has as many TXT records as it says."""
    told = [text for owner, text in records if owner.lower() == _COUNT]
    return told == [encode(len(records))]


def read_settings(
    records: Iterable[Record], *, device_id: str, keys: Sequence[DeviceKey]
) -> Settings:
    """Return the settings that a zone's TXT records lay down.

    What is sealed opens with any of the keys. Settings that the kind of device does not have here,
    and those of a type not known here, are named in `unknown` and left out.
    Raises `NotReadable` or `NotOurs` for whatever else the records hold.
    """
    texts = _texts(records)
    if (form := texts.get("_format", "none")) != encode(FORMAT):
        raise _unreadable(
            f"the zone is of format {form[:100]}, and {encode(FORMAT)} is understood. {_UPDATE}"
        )
    if not is_whole(texts.items()):
        told = texts.get(_COUNT, "")[:30]
        raise NotWhole(
            f"{RETRIEVE}: the zone has {len(texts)} records and says {told!r}: "
            f"it is being written, or was damaged on its way. It is tried again; if it stays so, "
            f"look at the device's entry on the portal."
        )
    own = {name: _decoded(name, text) for name, text in texts.items() if name in _OWN}
    if (found := own.get("_device-id")) != label(device_id):
        raise NotOurs(
            f"{RETRIEVE}: the zone of {device_id} holds the settings of {str(found)[:100]!r}. "
            f"Look at the portal and its server: they have mixed up two devices."
        )
    sealed = _Sealed(device_id, keys)
    values, secrets, unknown = _settings(texts, kind=_kind(own), sealed=sealed)
    return Settings(
        device_id=device_id,
        nickname=_text(own, "_nickname"),
        kind=_kind(own),
        values=values,
        secrets=secrets,
        policy=_policy(own),
        next_key=_next_key(texts, sealed),
        unknown=unknown,
    )


_OWN = frozenset({
    "_format", "_device-id", "_nickname", "_kind", "_policy", "_block-zone", "_allow-zone",
    "_servers", "_port", "_tls", "_tls-name", "_snapshot",
})  # fmt: skip


def _own(settings: Settings) -> Iterator[tuple[str, Value]]:
    """Yield what is said of the settings as a whole; None is not written."""
    yield "_format", FORMAT
    yield "_device-id", label(settings.device_id)
    yield "_nickname", settings.nickname
    yield "_kind", settings.kind
    if (policy := settings.policy) is not None:
        yield "_policy", policy.name
        yield "_block-zone", policy.block_zone
        yield "_allow-zone", policy.allow_zone
        yield "_servers", policy.servers
        yield "_port", policy.port
        yield "_tls", policy.tls
        yield "_tls-name", policy.tls_name
        yield "_snapshot", policy.snapshot


def _owner(name: str) -> str:
    """Return where a setting stands; raise `ValueRefused` for a name that is none."""
    if not _SETTING.fullmatch(name):
        raise ValueRefused(f"{name[:100]!r} is no name of a setting")
    return name.replace("_", "-")


def _encoded(name: str, value: Value) -> str:
    try:
        return encode(value)
    except ValueRefused as error:
        raise ValueRefused(f"{name}: {error}") from error


def _sealed(name: str, secret: str, *, device_id: str, keys: Iterable[DeviceKey]) -> str:
    try:
        seals = [seal(secret, key=key, device_id=device_id, name=name) for key in keys]
    except ValueRefused as error:
        raise ValueRefused(f"{name}: {error}") from error
    return f"{SEALED}:{' '.join(seals)}"


def _rdata(name: str, text: str) -> str:
    try:
        return rdata(text)
    except ValueRefused as error:
        raise ValueRefused(f"{name}: {error}") from error


def _texts(records: Iterable[Record]) -> dict[str, str]:
    """Return the texts by their owners in lower case, within what is accepted."""
    texts: dict[str, str] = {}
    for count, (owner, text) in enumerate(records, 1):
        name = owner.lower()
        if count > MAX_RECORDS:
            raise _unreadable(f"the zone holds more than {MAX_RECORDS} records. {_UPDATE}")
        if len(text.encode(errors="replace")) > MAX_BYTES:
            raise _unreadable(f"{name}: its text is longer than {MAX_BYTES:,} bytes. {_UPDATE}")
        if name in texts:
            raise _unreadable(f"{name} is there twice. {_UPDATE}")
        texts[name] = text
    return texts


def _settings(
    texts: Mapping[str, str], *, kind: str, sealed: _Sealed
) -> tuple[dict[str, Value], dict[str, str], tuple[str, ...]]:
    """Return the settings, the secret ones, and the names of those that are unknown."""
    known = {setting.name for setting in KINDS[kind].settings}
    values: dict[str, Value] = {}
    secrets: dict[str, str] = {}
    unknown: list[str] = []
    for owner, text in texts.items():
        name = owner.replace("-", "_")
        if owner.startswith("_"):
            continue
        if name not in known:
            unknown.append(name[:100])
        elif text.startswith(f"{SEALED}:"):
            secrets[name] = sealed.opened(name, text)
        else:
            try:
                values[name] = decode(text)
            except OtherType:
                unknown.append(name)
            except ValueError as error:
                raise _unreadable(f"{name}: {error}. {_UPDATE}") from error
    return values, secrets, tuple(sorted(unknown))


class _Sealed:
    """Opens what is sealed for one device, with whichever of its keys fits."""

    def __init__(self, device_id: str, keys: Sequence[DeviceKey]) -> None:
        self._device_id = device_id
        self._keys = keys

    def opened(self, name: str, text: str) -> str:
        """Return what was sealed under this name; raise `NotReadable`."""
        seals = text.removeprefix(f"{SEALED}:").split(" ")[:_MAX_SEALS]
        for sealed, key in product(seals, self._keys):
            try:
                return unseal(sealed, key=key, device_id=self._device_id, name=name)
            except SealBroken:
                continue
        raise _unreadable(
            f"{name} is sealed with another device key than the one here. Link again with the key "
            f"that the portal shows"
        )


def _decoded(name: str, text: str) -> Value:
    try:
        return decode(text)
    except ValueError as error:
        raise _unreadable(f"{name}: {error}. {_UPDATE}") from error


def _kind(own: Mapping[str, Value]) -> str:
    kind = own.get("_kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise _unreadable(f"{str(kind)[:100]!r} is no kind of device known here. {_UPDATE}")
    return kind


def _text(own: Mapping[str, Value], name: str, *, default: str | None = None) -> str:
    value = own.get(name, default)
    if not isinstance(value, str):
        raise _unreadable(f"{name} is not a text. {_UPDATE}")
    return value


def _policy(own: Mapping[str, Value]) -> PolicyPlace | None:
    """Return where the policy's lists are, None where the lists are settings."""
    if "_policy" not in own:
        return None
    servers, port, tls = own.get("_servers"), own.get("_port"), own.get("_tls")
    snapshot = own.get("_snapshot")
    if not isinstance(servers, tuple) or not isinstance(tls, bool):
        raise _unreadable(f"_servers or _tls does not say where the policy is. {_UPDATE}")
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
        raise _unreadable(f"_port is no port. {_UPDATE}")
    if isinstance(snapshot, bool) or not isinstance(snapshot, int | None):
        raise _unreadable(f"_snapshot is no number. {_UPDATE}")
    return PolicyPlace(
        name=_text(own, "_policy"),
        block_zone=_text(own, "_block-zone"),
        allow_zone=_text(own, "_allow-zone", default=""),
        servers=servers,
        port=port,
        tls=tls,
        tls_name=_text(own, "_tls-name", default=""),
        snapshot=snapshot,
    )


def _next_key(texts: Mapping[str, str], sealed: _Sealed) -> DeviceKey | None:
    text = texts.get("_key")
    if text is None:
        return None
    try:
        return read_key(sealed.opened("_key", text))
    except KeyUnreadable as error:
        raise _unreadable(f"_key: {error}") from error


def _unreadable(reason: str) -> NotReadable:
    return NotReadable(f"{RETRIEVE}: {reason}")
