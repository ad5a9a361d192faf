from __future__ import annotations

import json
from collections import Counter

import pytest

from netsets.cidr import AddressSet
from policies.decoders import decode
from policies.presets import DAY, HOUR, PRESETS, Preset
from policies.sources.base import Retrieved, SourceMisconfigured
from policies.sources.http import HttpSource

BY_KEY = {preset.key: preset for preset in PRESETS}


def test_each_preset_has_a_key_a_name_and_a_url_of_its_own() -> None:
    assert len(PRESETS) >= 20
    for values in zip(*((one.key, one.name, one.url) for one in PRESETS), strict=True):
        assert not [value for value, count in Counter(values).items() if count > 1]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_each_preset_builds_a_source_by_https(preset: Preset) -> None:
    source = HttpSource.from_settings({**preset.settings(), **dict.fromkeys(preset.needs, "k3y")})
    assert source.url.is_encrypted
    assert not source.route.allowed.hosts
    for needed in preset.needs:
        with pytest.raises(SourceMisconfigured, match=rf"^{needed}\b"):
            HttpSource.from_settings(preset.settings())


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.key)
def test_each_preset_is_described_and_asked_for_with_restraint(preset: Preset) -> None:
    assert HOUR <= preset.refresh_minutes <= DAY
    assert preset.lists.endswith(".")
    assert preset.licence
    assert preset.entries >= 10
    assert preset.serves in {"block", "allow"}
    assert not preset.caution or preset.caution.endswith(".")


# What each publisher sends in a layout of its own, as an excerpt with addresses of our own.
EXCERPTS = {
    "spamhaus-drop": (
        (
            '{"cidr":"192.0.2.0/24","sblid":"SBL1","rir":"arin"}\n'
            '{"cidr":"198.51.100.0/24","sblid":"SBL2","rir":"ripencc"}\n'
            '{"type":"metadata","timestamp":1795262400,"size":2,"records":2,"copyright":"(c)"}\n'
        ),
        ["192.0.2.0/24", "198.51.100.0/24"],
    ),
    "dshield-block": (
        (
            "# DShield.org Recommended Block List\n"
            "Start\tEnd\tNetmask\tAttacks\tName\tCountry\temail\n"
            "192.0.2.0\t192.0.2.255\t24\t3000\tEXAMPLE\tXX\tabuse@example.net\n"
        ),
        ["192.0.2.0/24"],
    ),
    "turris-greylist": (
        (
            "# For the terms of use see LICENSE.txt\r\nAddress,Tags\r\n"
            '192.0.2.1,telnet\r\n192.0.2.2,"http,smtp"\r\n'
        ),
        ["192.0.2.1", "192.0.2.2"],
    ),
    "github-hooks": (
        json.dumps({"hooks": ["192.0.2.0/24", "2001:db8::/32"], "web": ["198.51.100.0/24"]}),
        ["192.0.2.0/24", "2001:db8::/32"],
    ),
}


@pytest.mark.parametrize("key", EXCERPTS)
def test_a_preset_reads_its_publishers_layout_without_a_reject(key: str) -> None:
    text, expected = EXCERPTS[key]
    source = HttpSource.from_settings(BY_KEY[key].settings())
    retrieved = Retrieved("text", (text.encode(),), "192.0.2.53#443", layout=source.layout)
    decoded = decode(retrieved)
    assert decoded.addresses == AddressSet.of(*expected)
    assert decoded.skipped == ()


def test_every_preset_in_a_layout_of_its_own_is_held_to_an_excerpt() -> None:
    unusual = {one.key for one in PRESETS if dict(one.layout).get("layout", "lines") != "lines"}
    assert unusual == {*EXCERPTS, "spamhaus-dropv6"}
