"""Settings as a zone: whatever is laid down is what is read, and nothing read does harm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import dns.zone
import pytest
from dns.rdtypes.ANY.TXT import TXT
from hypothesis import given, strategies as st

from devices.kinds import KINDS
from fleet.protocol.base import DeviceKey, PolicyPlace, Settings, Value
from fleet.protocol.errors import RETRIEVE, NotOurs, NotReadable, NotRetrieved
from fleet.protocol.keys import seal
from fleet.protocol.settings_zone import MAX_RECORDS, Record, body_of, read_settings
from fleet.protocol.values import MAX_BYTES, ValueRefused, decode, encode, joined
from tests.fleet.protocol.devices import GATEWAY, KEY, NEXT_KEY, OTHER, SETTINGS

NO_KEY = seal("no key", key=KEY, device_id=GATEWAY, name="_key")

names = st.sampled_from([setting.name for setting in KINDS["iptables"].settings])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=600)
items = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: " " not in text
)
values: st.SearchStrategy[Value] = st.one_of(
    st.booleans(),
    st.integers(-(10**18) + 1, 10**18 - 1),
    texts,
    st.none(),
    st.lists(items, max_size=20).map(tuple),
)
policies = st.builds(
    PolicyPlace,
    name=texts,
    block_zone=texts,
    allow_zone=texts,
    servers=st.lists(items, max_size=4).map(tuple),
    port=st.integers(1, 65535),
    tls=st.booleans(),
    tls_name=texts,
    snapshot=st.none() | st.integers(0, 2**31),
)
laid_down = st.builds(
    lambda values, secrets, **rest: Settings(
        values={name: value for name, value in values.items() if name not in secrets},
        secrets=secrets,
        **rest,
    ),
    device_id=st.just(GATEWAY),
    nickname=texts,
    kind=st.just("iptables"),
    values=st.dictionaries(names, values, max_size=10),
    secrets=st.dictionaries(names, texts, max_size=3),
    policy=st.none() | policies,
    next_key=st.none() | st.builds(DeviceKey, st.just(2), st.binary(min_size=32, max_size=32)),
)


def records_of(body: bytes) -> list[Record]:
    """Return what a server serves of a zone with this body, by a reader that is not ours."""
    lines = body.decode().replace("\tTXT\t", "\t60\tIN\tTXT\t")
    text = f"@ 60 IN SOA . . 1 300 60 604800 60\n@ 60 IN NS ns.example.\n{lines}"
    zone = dns.zone.from_text(text, origin=f"{GATEWAY}.device.tscm.example.")
    found = ((name.to_text(), data) for name, _, data in zone.iterate_rdatas("TXT"))
    return [(name, joined(data.strings)) for name, data in found if isinstance(data, TXT)]


def read(records: Sequence[Record], *, device_id: str = GATEWAY) -> Settings:
    return read_settings(records, device_id=device_id, keys=[NEXT_KEY, KEY])


def changed(**texts: str | None) -> list[Record]:
    """Return good records with some texts changed, or left out; `__` stands for `_`."""
    found = dict(records_of(body_of(SETTINGS, sealed_with=[KEY])))
    for name, text in texts.items():
        owner = name.replace("__", "#").replace("_", "-").replace("#", "_")
        if text is None:
            del found[owner]
        else:
            found[owner] = text
    return list((found if "__count" in texts else counted(found)).items())


def counted(texts: dict[str, str]) -> dict[str, str]:
    """Return records that say how many they are."""
    return {**texts, "_count": f"i:{len(texts.keys() | {'_count'})}"}


@given(laid_down)
def test_what_is_laid_down_is_what_is_read(settings: Settings) -> None:
    body = body_of(settings, sealed_with=[KEY])
    found = read(records_of(body))
    assert found == settings
    assert found.secrets == settings.secrets
    lines = body.splitlines()
    assert lines == sorted(set(lines))
    assert body.isascii()


@given(laid_down, st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3))
def test_what_is_sealed_opens_with_each_of_the_keys_alone(
    settings: Settings, secrets: list[bytes]
) -> None:
    keys = [DeviceKey(generation, secret) for generation, secret in enumerate(secrets, 1)]
    records = records_of(body_of(settings, sealed_with=keys))
    for key in keys:
        found = read_settings(records, device_id=GATEWAY, keys=[key])
        assert (found, found.secrets) == (settings, settings.secrets)
        assert found.next_key == settings.next_key


@given(laid_down)
def test_no_secret_stands_open_in_a_zone(settings: Settings) -> None:
    secret = "a secret that stands nowhere else"
    told = replace(settings, secrets={"upload_proxy_password": secret}, next_key=NEXT_KEY)
    told = replace(told, values={"note": "x"})
    body = body_of(told, sealed_with=[KEY])
    assert secret.encode() not in body
    assert b"tscmdk" not in body


@given(values)
def test_a_value_is_read_as_it_was_written(value: Value) -> None:
    found = decode(encode(value))
    assert (found, type(found)) == (value, type(value))


hostile = st.lists(
    st.tuples(
        st.sampled_from([*dict(changed()), "_else", "else", "@", "a.b", "\u00fc"])
        | st.text(max_size=9),
        st.sampled_from(["", "x:", "i:1e9", "b:1", "l: ", "n:1", "l:a  b", "i:0", "s", ":", "q:1"])
        | st.text(max_size=30)
        | st.builds("".join, st.tuples(st.sampled_from(["b:", "i:", "l:", "x:"]), st.text())),
    ),
    max_size=8,
)


@given(hostile)
def test_any_records_are_settings_or_refused(spoilt: list[Record]) -> None:
    try:
        found = read(list(counted({**dict(changed()), **dict(spoilt)}).items()))
    except NotRetrieved as error:
        words = str(error)
        assert words.startswith(f"{RETRIEVE}: ")  # not every one is refused
    else:
        assert found.device_id == GATEWAY
        assert set(found.values) <= {setting.name for setting in KINDS[found.kind].settings}


@given(hostile)
def test_records_of_nothing_are_refused(records: list[Record]) -> None:
    with pytest.raises(NotRetrieved):
        read(records)


def test_a_setting_of_a_newer_portal_is_left_out_and_named() -> None:
    found = read(changed(of_tomorrow="s:x", note="q:new", __of_tomorrow="s:x"))
    assert found.unknown == ("note", "of_tomorrow")
    assert found.values == {k: v for k, v in SETTINGS.values.items() if k != "note"}


def test_owners_are_alike_in_upper_case_and_lower_case() -> None:
    assert read([(name.upper(), text) for name, text in changed()]) == SETTINGS


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        (changed(__format=None), "of format none, and i:1 is understood"),
        (changed(__format="i:2"), "of format i:2"),
        (changed(__format="b:yes"), "of format b:yes"),
        (changed(__count=None), "records and says '': it is being written"),
        (changed(__count="i:9"), "records and says 'i:9'"),
        (changed()[:-1], "it is being written, or was damaged on its way"),
        (changed(__kind="s:toaster"), "'toaster' is no kind of device known here"),
        (changed(__kind="q:1"), "_kind: 'q:1' is of no type known here"),
        (changed(__nickname="i:1"), "_nickname is not a text"),
        (changed(__port="i:0"), "_port is no port"),
        (changed(__servers=None), "_servers or _tls does not say where"),
        (changed(__snapshot="s:x"), "_snapshot is no number"),
        (changed(__block_zone=None), "_block-zone is not a text"),
        (changed(__key="x:AAAA"), "_key is sealed with another device key"),
        (changed(__key=f"x:{NO_KEY}"), "_key: this is not a device key"),
        (changed(dns_port="i:many"), "dns_port: 'i:many' is not of the type"),
        (changed(send_logs="b:maybe"), "send_logs: 'b:maybe' is not of the type"),
        (changed(dns_server="l:a  b"), "its items stand one blank apart"),
        (changed(note="s:" + "x" * MAX_BYTES), "longer than 8,192 bytes"),
        (changed(note="s:" + "\U0001f512" * (MAX_BYTES // 4)), "longer than 8,192 bytes"),
        ([*changed(), ("NOTE", "s:x")], "note is there twice"),
        ([(f"_{n}", "s:x") for n in range(MAX_RECORDS + 1)], "more than 200 records"),
    ],
)
def test_records_that_are_no_settings_are_refused_with_the_reason(
    records: list[Record], reason: str
) -> None:
    with pytest.raises(NotReadable, match=reason):
        read(records)


def test_the_settings_of_another_device_are_refused() -> None:
    with pytest.raises(NotOurs, match=f"the zone of {OTHER} holds the settings of '{GATEWAY}'"):
        read(changed(), device_id=OTHER)


def test_a_sealed_setting_does_not_open_in_the_place_of_another() -> None:
    sealed = dict(changed())["upload-proxy-password"]
    with pytest.raises(NotReadable, match="upload_proxy_user is sealed with another device key"):
        read(changed(upload_proxy_user=sealed))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: replace(SETTINGS, values={"note": "x" * 9000}), "note: it is 9,002 bytes long"),
        (lambda: replace(SETTINGS, values={"dns_server": ("a b",)}), "dns_server: 'a b' cannot"),
        (lambda: replace(SETTINGS, values={"_kind": "x"}), "'_kind' is no name of a setting"),
        (lambda: replace(SETTINGS, values={"a-b": "x"}), "'a-b' is no name of a setting"),
        (lambda: replace(SETTINGS, values={f"s{n}": 1 for n in range(200)}), "more than the 200"),
        (
            lambda: replace(SETTINGS, values={f"s{n}": "x" * 8000 for n in range(99)}),
            "of the 500,0",
        ),
        (lambda: replace(SETTINGS, values={"note": "a\udcff"}), "note: .* has half a character"),
        (
            lambda: replace(SETTINGS, secrets={"upload_proxy_password": "\udcff"}),
            "upload_proxy_password: .* has half a character",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_where_it_is_written(
    change: Callable[[], Settings], reason: str
) -> None:
    with pytest.raises(ValueRefused, match=reason):
        body_of(change(), sealed_with=[KEY])
