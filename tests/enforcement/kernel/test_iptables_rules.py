"""The rules that are meant, as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from enforcement.kernel.base import Counters, Rules, Verdict
from enforcement.kernel.errors import EnforceRefused
from enforcement.kernel.iptables_rules import OWN_CHAINS, counted, log_limit, meant
from enforcement.kernel.iptables_save import Chain, Rule

END = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def words(chain: str, rules: Rules, version: int = 4) -> list[str]:
    return [str(rule) for rule in meant(version, rules)[chain]]  # type: ignore[arg-type]


def test_every_packet_pays_for_the_block_sets_alone() -> None:
    assert words("TSforward", Rules()) == [
        "-m set --match-set TSblockaddr src -j TSfrom",
        "-m set --match-set TSblocknet src -j TSfrom",
        "-m set --match-set TSblockaddr dst -j TSto",
        "-m set --match-set TSblocknet dst -j TSto",
    ]
    assert words("TSinput", Rules()) == words("TSforward", Rules())


def test_outbound_only_the_destination_counts() -> None:
    assert words("TSoutput", Rules(), 6) == [
        "-m set --match-set TSblockaddr6 dst -j TSout",
        "-m set --match-set TSblocknet6 dst -j TSout",
    ]


@pytest.mark.parametrize(("chain", "side"), [("TSfrom", "src"), ("TSto", "dst"), ("TSout", "dst")])
def test_allow_returns_before_anything_is_logged_or_dropped(chain: str, side: str) -> None:
    assert words(chain, Rules()) == [
        f"-m set --match-set TSallowaddr {side} -j RETURN",
        f"-m set --match-set TSallownet {side} -j RETURN",
        '-j LOG --log-prefix "ThreatSTOP-TSblock "',
        "-j DROP",
    ]


def test_a_limit_is_for_the_log_alone() -> None:
    log, end = meant(4, Rules(log_limit="10/second"))["TSfrom"][2:]
    assert str(log).startswith("-m limit --limit 10/sec --limit-burst 20 -j LOG")
    assert str(end) == "-j DROP"


def test_reject_resets_tcp_and_tells_the_rest() -> None:
    reject = Rules(verdict=Verdict.REJECT)
    assert words("TSto", reject)[3:] == [
        "-p tcp -j REJECT --reject-with tcp-reset",
        "-j REJECT --reject-with icmp-admin-prohibited",
    ]
    assert words("TSto", reject, 6)[4] == "-j REJECT --reject-with icmp6-adm-prohibited"


def test_a_pause_is_the_first_rule_of_every_hooked_chain_and_of_no_other() -> None:
    paused = meant(4, Rules(paused_until=END))
    pause = Rule.of("-m time --datestop 2026-11-25T12:00:00 -j RETURN")
    assert {name for name, rules in paused.items() if rules[0] == pause} == {
        "TSinput",
        "TSforward",
        "TSoutput",
    }
    without = {
        name: tuple(rule for rule in rules if rule != pause) for name, rules in paused.items()
    }
    assert without == meant(4, Rules())


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (END + timedelta(microseconds=1), "2026-11-25T12:00:01"),
        (END.astimezone(timezone(timedelta(hours=-5))), "2026-11-25T12:00:00"),
    ],
)
def test_a_pause_is_told_in_whole_seconds_of_utc(moment: datetime, told: str) -> None:
    assert f"--datestop {told} " in words("TSinput", Rules(paused_until=moment))[0]


def test_a_pause_that_the_kernel_cannot_count_is_refused() -> None:
    with pytest.raises(EnforceRefused, match=r"2040-01-01.*earlier"):
        meant(4, Rules(paused_until=datetime(2040, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("10/second", "10/sec"),
        ("60/minute", "1/sec"),
        ("90/minute", "90/min"),
        ("100/hour", "100/hour"),
        ("3600/hour", "1/sec"),
        ("1/hour", "1/hour"),
        ("10000/sec", "10000/sec"),
    ],
)
def test_a_limit_is_told_as_the_kernel_tells_it(text: str, told: str) -> None:
    assert log_limit(text) == told


@given(st.integers(1, 10_000), st.sampled_from(["second", "minute", "hour"]))
def test_a_limit_that_was_told_is_told_alike_again(rate: int, unit: str) -> None:
    told = log_limit(f"{rate}/{unit}")
    assert log_limit(told) == told


@pytest.mark.parametrize(
    "text",
    ["10", "0/second", "10/fortnight", "-1/hour", "20000/second", "1/day", "1/hour -j ACCEPT"],
)
def test_what_is_no_limit_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(EnforceRefused, match="10/second"):
        log_limit(text)


def test_only_what_was_dropped_or_rejected_counts() -> None:
    table = {
        name: Chain(
            "-", (Rule.of("-j RETURN"), Rule(("-j", "LOG"), 100), Rule(("-j", "DROP"), packets))
        )
        for packets, name in enumerate(OWN_CHAINS, 1)
    }
    assert OWN_CHAINS[3:] == ("TSfrom", "TSto", "TSout")
    assert counted(table) == Counters(inbound=4 + 5, outbound=6)


def test_counters_of_rules_that_are_not_there_are_zero() -> None:
    assert counted({}) == Counters()
