"""Device keys: as typed, as derived (the vector of the manual), and what they seal."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path

import dns.name
import pytest
from hypothesis import assume, given, strategies as st

from fleet.protocol.base import DeviceKey
from fleet.protocol.keys import (
    MAX_GENERATION,
    KeyUnreadable,
    SealBroken,
    key_text,
    new_key,
    read_key,
    seal,
    tsig_key,
    tsig_name,
    tsig_secret,
    unseal,
)
from fleet.protocol.names import (
    MAX_DEVICE_ID,
    NotADeviceId,
    settings_zone,
    status_name,
    status_zone,
)

MANUAL = Path(__file__).parents[3] / "docs" / "web-automation.md"

device_ids = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,40}", fullmatch=True).filter(
    lambda text: not text.startswith("g")
)
keys = st.builds(DeviceKey, st.integers(1, MAX_GENERATION), st.binary(min_size=32, max_size=32))


def vector() -> dict[str, str]:
    """Return the test vector of the manual: what stands in front of two blanks, and behind."""
    section = MANUAL.read_text(encoding="utf-8").split("\n## Keys\n")[1].split("\n## ")[0]
    lines = section.split("```")[-2].strip().splitlines()[1:]
    pairs = (line.split("  ", 1) for line in lines)
    return {name: value.strip() for name, value in pairs}


def hkdf(secret: bytes, salt: str, info: str) -> bytes:
    """Return 32 bytes as RFC 5869 has them: extract, then expand, once."""
    extracted = hmac.digest(salt.encode(), secret, "sha256")
    return hmac.digest(extracted, info.encode() + b"\x01", "sha256")


def test_the_vector_of_the_manual_is_what_is_derived() -> None:
    told = vector()
    device_id, key = told["device ID"], read_key(told["device key"])
    assert tsig_name(device_id, key.generation) == told["TSIG key"]
    assert tsig_key(device_id, key).name.to_text() == f"{told['TSIG key']}."
    assert base64.b64encode(tsig_secret(device_id, key)).decode() == told["TSIG secret"]
    assert tsig_secret(device_id, key) == hkdf(key.secret, device_id, "tscm web automation tsig 1")
    sealed = told["upload-proxy-password"].removeprefix("x:")
    name = "upload_proxy_password"
    assert unseal(sealed, key=key, device_id=device_id, name=name) == told["which opens to"]
    assert settings_zone(device_id, told["domain"]) == told["settings zone"]
    assert status_name(device_id, told["domain"]) == told["status name"]


@given(keys)
def test_a_key_is_read_as_it_is_shown(key: DeviceKey) -> None:
    assert read_key(f" {key_text(key)}\n") == key


@given(st.text(max_size=70))
def test_any_other_text_is_no_key(text: str) -> None:
    with pytest.raises(KeyUnreadable):
        read_key(text)


@pytest.mark.parametrize(
    "text",
    [
        "tscmdk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh",  # a character short
        "tscmdk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9",  # with bits past the last byte
        "tscmdk0_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "tscmdk01_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "",
    ],
)
def test_a_key_that_was_mistyped_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(KeyUnreadable, match="Copy it from the device's page") as raised:
        read_key(text)
    assert "AAECAw" not in str(raised.value)


def test_a_key_does_not_show_its_secret() -> None:
    key = DeviceKey(1, b"s" * 32)
    assert "s" * 4 not in repr(key)
    assert new_key().secret != new_key().secret
    with pytest.raises(ValueError, match="make a new entry"):
        new_key(generation=MAX_GENERATION + 1)


@given(device_ids, device_ids, keys, keys)
def test_no_two_devices_and_no_two_generations_share_a_name_or_a_secret(
    first: str, second: str, key: DeviceKey, other: DeviceKey
) -> None:
    assume((first, key) != (second, other))
    same_name = (first, key.generation) == (second, other.generation)
    assert (tsig_name(first, key.generation) == tsig_name(second, other.generation)) == same_name
    if (first, key.secret) != (second, other.secret):
        assert tsig_secret(first, key) != tsig_secret(second, other)


@pytest.mark.parametrize(
    "device_id", ["", "-x", "a.b", "a b", "g2-x", "G10-x", "\u00fc", "a" * (MAX_DEVICE_ID + 1)]
)
def test_an_id_that_cannot_stand_in_names_is_refused(device_id: str) -> None:
    with pytest.raises(NotADeviceId, match="cannot be a device ID of Web Automation"):
        tsig_name(device_id, 1)
    for name in (settings_zone, status_name):
        with pytest.raises(NotADeviceId, match="cannot be a device ID of Web Automation"):
            name(device_id, "tscm.internal")


def test_a_name_with_no_room_for_settings_below_it_is_refused() -> None:
    longest = ".".join(["a" * 60, "b" * 60])
    name = settings_zone("a" * MAX_DEVICE_ID, longest)
    assert len(dns.name.from_text(f"{'s' * 63}.{name}").to_text(omit_final_dot=True)) <= 253
    for made in (settings_zone, status_name):
        with pytest.raises(NotADeviceId, match="use a shorter device ID or a shorter domain"):
            made("a" * MAX_DEVICE_ID, f"{longest}.{'c' * 60}")


def test_names_are_in_lower_case() -> None:
    assert settings_zone("TDID_Gw1", "tscm.internal") == "tdid_gw1.device.tscm.internal"
    assert status_name("TDID_Gw1", "tscm.internal") == "tdid_gw1.status.tscm.internal"
    assert status_zone("tscm.internal") == "status.tscm.internal"
    assert tsig_name("TDID_Gw1", 12) == "g12-tdid_gw1"
    longest = "a" * MAX_DEVICE_ID
    assert len(tsig_key(longest, new_key(generation=MAX_GENERATION)).name[0]) == 63


@given(st.text(max_size=200), keys, device_ids)
def test_what_is_sealed_opens_again(text: str, key: DeviceKey, device_id: str) -> None:
    sealed = seal(text, key=key, device_id=device_id.upper(), name="note")
    assert unseal(sealed, key=key, device_id=device_id, name="note") == text
    assert seal(text, key=key, device_id=device_id, name="note") != sealed


@pytest.mark.parametrize(
    "changed",
    [
        {"key": DeviceKey(1, b"t" * 32)},
        {"device_id": "other"},
        {"name": "other"},
        {"text": ""},
        {"text": "no base64!"},
        {"text": "AAAA"},
    ],
)
def test_what_is_sealed_opens_with_its_key_and_in_its_place_only(
    changed: dict[str, object],
) -> None:
    place = {"key": DeviceKey(1, b"s" * 32), "device_id": "gw1", "name": "upload_proxy_password"}
    sealed = seal("geheim", **place)  # type: ignore[arg-type]
    with pytest.raises(SealBroken, match="does not open"):
        unseal(**{"text": sealed, **place, **changed})  # type: ignore[arg-type]


@given(st.integers(0, 33), st.integers(1, 255))
def test_a_sealed_text_with_one_byte_changed_does_not_open(at: int, change: int) -> None:
    key = DeviceKey(1, b"s" * 32)
    raw = bytearray(base64.b64decode(seal("geheim", key=key, device_id="gw1", name="x")))
    raw[at] ^= change
    with pytest.raises(SealBroken):
        unseal(base64.b64encode(raw).decode(), key=key, device_id="gw1", name="x")
