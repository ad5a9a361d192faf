"""PAN-OS: fields counted from the front, with quotes where they are needed."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, strategies as st

from logs.parsers.base import NO_CONNECTION, Action
from tests.logs.parsers.lines import CAME, ends, event, micros, read
from tests.logs.parsers.samples import PANOS_DROP

HEAD, BODY = PANOS_DROP[:24], PANOS_DROP[24:].decode()
TCP = ("192.0.2.7", 40001, "198.51.100.9", 443, 6)


def changed(**fields: str) -> bytes:
    """Return the line with fields written otherwise, by their place."""
    row = next(csv.reader([BODY]))
    for place, value in fields.items():
        row[int(place.removeprefix("f"))] = value
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(row)
    return HEAD + out.getvalue().encode()


@pytest.mark.parametrize(
    ("kind", "subtype", "action", "became"),
    [
        ("TRAFFIC", "end", "allow", Action.ALLOWED),
        ("TRAFFIC", "start", "allow", Action.ALLOWED),
        ("TRAFFIC", "deny", "deny", Action.DROPPED),
        ("TRAFFIC", "drop", "allow", Action.DROPPED),
        ("TRAFFIC", "end", "reset-both", Action.DROPPED),
        ("TRAFFIC", "drop", "drop ICMP", Action.DROPPED),
        ("THREAT", "spyware", "alert", Action.MONITORED),
        ("THREAT", "spyware", "sinkhole", Action.DROPPED),
        ("THREAT", "url", "alert", Action.ALLOWED),
        ("THREAT", "url", "block-url", Action.DROPPED),
        ("THREAT", "flood", "random-drop", Action.DROPPED),
        ("THREAT", "vulnerability", "reset-client", Action.DROPPED),
        ("THREAT", "wildfire", "allow", Action.ALLOWED),
    ],
)
def test_action_and_subtype_say_what_became_of_it(
    kind: str, subtype: str, action: str, became: Action
) -> None:
    found = event(changed(f3=kind, f4=subtype, f30=action))
    assert (ends(found), found.action) == (TCP, became)


@given(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=40))
def test_a_rule_or_user_may_hold_commas_and_quotes(text: str) -> None:
    found = event(changed(f11=text, f12=text, f13=f'{text}",1,"'))
    assert ends(found) == TCP
    assert found.said == "".join(
        char if char.isprintable() else "\ufffd" for char in text.encode().strip().decode()
    )


@pytest.mark.parametrize(
    ("place", "value", "both"),
    [
        ("f24", "70000", ("192.0.2.7", 0, "198.51.100.9", 443, 6)),
        ("f29", "hopopt", ("192.0.2.7", 40001, "198.51.100.9", 443, 255)),
        ("f29", "icmp", ("192.0.2.7", 0, "198.51.100.9", 0, 1)),
        ("f7", "2001:db8::7", ("2001:db8::7", 40001, "198.51.100.9", 443, 6)),
    ],
)
def test_a_bad_field_drops_the_field(place: str, value: str, both: tuple[object, ...]) -> None:
    assert ends(event(changed(**{place: value}))) == both


@pytest.mark.parametrize(
    "line",
    [
        changed(f7="host-a"),
        changed(f8=""),
        HEAD + BODY.partition(",tcp,")[0].encode(),
        HEAD + BODY.replace("our-block-feed", '"our-block-feed').encode(),
        HEAD + BODY.replace("our-block-feed", '"our" block-feed').encode(),
    ],
)
def test_a_line_that_is_short_or_badly_quoted_is_no_connection(line: bytes) -> None:
    assert read(line) is NO_CONNECTION


def test_the_time_is_when_the_log_was_made_then_when_it_was_received_then_the_heads() -> None:
    made, received = micros(CAME.replace(second=36)), micros(CAME.replace(second=37))
    assert event(changed()).at == made
    assert event(changed(f6="3/1/26 1:02")).at == received
    assert event(changed(f6="", f1="")).at == received
