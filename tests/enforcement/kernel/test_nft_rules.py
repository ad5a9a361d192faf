"""The chains that are meant, as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.base import Rules, Verdict
from enforcement.kernel.errors import EnforceRefused
from enforcement.kernel.nft_rules import Chain, meant

MOMENT = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)


def lines(chain: Chain) -> list[str]:
    return [" ".join(part.text for part in rule) for rule in chain.rules]


def test_block_sets_are_asked_first_and_allow_sets_only_for_what_they_hold() -> None:
    chains = meant(Rules())
    assert [(name, chain.hook) for name, chain in chains.items() if chain.hook] == [
        ("TSinput", "input"),
        ("TSforward", "forward"),
        ("TSoutput", "output"),
    ]
    assert lines(chains["TSoutput"]) == [
        "ip daddr @TSblockaddr jump TSout",
        "ip daddr @TSblocknet jump TSout",
        "ip6 daddr @TSblockaddr6 jump TSout",
        "ip6 daddr @TSblocknet6 jump TSout",
    ]
    assert lines(chains["TSout"]) == [
        "ip daddr @TSallowaddr return",
        "ip daddr @TSallownet return",
        "ip6 daddr @TSallowaddr6 return",
        "ip6 daddr @TSallownet6 return",
        'log prefix "ThreatSTOP-TSblock " level warn',
        'counter name "TSoutbound" drop',
    ]


def test_sources_and_destinations_have_a_verdict_chain_each() -> None:
    chains = meant(Rules())
    assert chains["TSinput"].rules == chains["TSforward"].rules
    for line in lines(chains["TSforward"]):
        assert line.endswith("TSfrom" if " saddr " in line else "TSto")
    assert all(" saddr @TSallow" in line for line in lines(chains["TSfrom"])[:4])
    assert all(" daddr @TSallow" in line for line in lines(chains["TSto"])[:4])


def test_no_rule_accepts_a_packet() -> None:
    for verdict in Verdict:
        rules = Rules(verdict, "10/second", MOMENT)
        assert not any("accept" in line for one in meant(rules).values() for line in lines(one))


def test_a_chain_comes_after_those_it_jumps_to() -> None:
    seen: set[str] = set()
    for name, chain in meant(Rules(Verdict.REJECT)).items():
        jumps = {line.split("jump ")[1] for line in lines(chain) if "jump" in line}
        assert jumps <= seen
        seen.add(name)


def test_a_tcp_client_gets_a_reset_and_others_are_told_why() -> None:
    assert lines(meant(Rules(Verdict.REJECT))["TSto"])[-3:] == [
        'counter name "TSinbound"',
        "meta l4proto tcp reject with tcp reset",
        "reject with icmpx admin-prohibited",
    ]


@pytest.mark.parametrize(
    ("limit", "written"),
    [
        ("10/second", "10/second"),
        ("5/sec", "5/second"),
        ("99999/min", "99999/minute"),
        ("1/hour",) * 2,
    ],
)
def test_a_limit_of_the_log_is_written_in_the_words_of_nft(limit: str, written: str) -> None:
    log = lines(meant(Rules(log_limit=limit))["TSto"])[4]
    assert log.startswith(f"limit rate {written} burst 20 packets log prefix ")


@pytest.mark.parametrize(
    "limit",
    [
        "0/second",
        "10",
        "10/second; flush ruleset",
        "10/day\n",
        "-1/hour",
        "100000/hour",
        "10001/second",
    ],
)
def test_what_is_no_limit_is_refused(limit: str) -> None:
    with pytest.raises(EnforceRefused, match="is no limit for the log: give lines in a time"):
        meant(Rules(log_limit=limit))


def test_a_pause_stands_before_all_and_ends_at_a_second_since_1970() -> None:
    chains = meant(Rules(paused_until=MOMENT))
    for name in ("TSinput", "TSforward", "TSoutput"):
        assert lines(chains[name])[0] == f"meta time < {int(MOMENT.timestamp())} return"
    (time, _), *_ = chains["TSinput"].rules
    assert "2026-11-25 23:30:00" in str(time.told)


def test_a_pause_in_another_zone_is_the_same_moment() -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=-5)))
    assert meant(Rules(paused_until=there)) == meant(Rules(paused_until=MOMENT))


@given(st.integers(0, 235 * 365 * 86400 * 10**6))
def test_no_pause_ends_early_and_none_a_second_late(microseconds: int) -> None:
    until = MOMENT + timedelta(microseconds=microseconds)
    (time, _), *_ = meant(Rules(paused_until=until))["TSinput"].rules
    end = datetime.fromtimestamp(int(time.text.removeprefix("meta time < ")), UTC)
    assert timedelta() <= end - until < timedelta(seconds=1)


def test_a_pause_longer_than_the_kernel_counts_is_refused() -> None:
    with pytest.raises(
        EnforceRefused, match="longer than the kernel can count, which is until 2262"
    ):
        meant(Rules(paused_until=datetime(2300, 1, 1, tzinfo=UTC)))
