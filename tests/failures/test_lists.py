"""What a list may hold, and how little of it may reach a firewall: rows 1 to 4, 6 and 23."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsets.cidr import AddressSet
from policies.models import Candidate
from policies.services import Refused, approve_candidate, create_source
from policies.states import Outcome, PolicyState, Role
from tests.failures.site import Site, blocked, body, last, lines
from tests.fakes.bind import Bind, BindMissing, write_zone
from tests.fakes.tsig import TsigKey

GOOD = [f"5.6.{n}.0/24" for n in range(0, 40, 2)]


@pytest.mark.parametrize(
    "wide",
    [
        ["0.0.0.0/0"],
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["::/0"],
        ["92.0.0.0/7"],
        [f"{n}.0.0.0/8" for n in range(20, 60)],  # each narrow enough, together a sixth of it all
        ["2000::/3"],
        ["1.0.0.0-200.255.255.255"],
    ],
)
def test_failure_01_a_slash_zero_or_a_huge_cidr_is_held_and_nobody_may_let_it_pass(
    site: Site, wide: list[str]
) -> None:
    # Without a limit of its own: a /0 swallows all other prefixes, and the list seems to shrink.
    policy = site.policy(site.source("/list", *GOOD, shrink_limit=100))
    site.tick()
    before = body(policy)
    site.shelf.put("/list", *GOOD, *wide)
    now = site.tick(hours=1)
    assert body(policy) == before
    assert policy.state == PolicyState.HELD
    candidate = Candidate.objects.get(policy=policy)
    assert {finding["rule"] for finding in candidate.findings} & {"width", "share"}
    with pytest.raises(Refused, match="nobody may let this pass"):
        approve_candidate(policy=policy, digest=candidate.block_digest, actor="test", now=now)
    site.shelf.put("/list", *GOOD)
    site.tick(hours=2)
    policy.refresh_from_db()
    assert (policy.state, body(policy)) == (PolicyState.CURRENT, before)


def test_failure_01_a_first_list_that_is_too_wide_publishes_nothing_at_all(site: Site) -> None:
    policy = site.policy(site.source("/list", "5.6.7.8", "0.0.0.0/1", "128.0.0.0/1"))
    site.tick()
    policy.refresh_from_db()
    assert (policy.state, policy.current) == (PolicyState.HELD, None)


def test_failure_02_private_loopback_and_multicast_addresses_are_cut_and_counted(
    site: Site,
) -> None:
    special = ["10.0.0.0/8", "127.0.0.1", "169.254.1.1", "172.16.0.0/12", "192.168.7.0/24",
               "224.0.0.0/8", "240.0.0.1", "255.255.255.255", "0.0.0.0/32", "::1", "fe80::1",
               "fd00::/32", "ff02::1"]  # fmt: skip
    policy = site.policy(site.source("/list", "5.6.7.8", *special, "2a00:1450::7"))
    site.tick()
    assert blocked(policy) == AddressSet.of("5.6.7.8", "2a00:1450::7")
    assert policy.current is not None
    cuts = dict(policy.current.cuts)
    assert cuts["special-purpose"] >= (1 << 24) + (1 << 20) + (1 << 24) + (1 << 96)


def test_failure_03_a_bogon_list_that_grows_over_routable_space_waits_for_a_person(
    site: Site,
) -> None:
    bogons = ["10.0.0.0/8", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15"]
    policy = site.policy(site.source("/bogons", *bogons), keep_special=True)
    site.tick()
    before = body(policy)
    assert "198.18.0.0/15" in lines(policy)
    site.shelf.put("/bogons", *bogons, "5.0.0.0/8", "31.0.0.0/8", "37.0.0.0/8")
    now = site.tick(hours=1)
    assert body(policy) == before
    assert policy.state == PolicyState.HELD
    candidate = Candidate.objects.get(policy=policy)
    assert {finding["rule"] for finding in candidate.findings} == {"growth"}
    assert candidate.numbers["added"]["addresses4"] == 3 << 24
    approve_candidate(policy=policy, digest=candidate.block_digest, actor="test", now=now)
    assert "5.0.0.0/8" in lines(policy)


def test_failure_04_what_everybody_needs_is_never_blocked_and_each_cut_is_named(
    site: Site,
) -> None:
    needed = ["8.8.8.8", "1.1.1.1", "9.9.9.9", "198.41.0.4", "2001:4860:4860::8888"]
    policy = site.policy(site.source("/list", "5.6.7.8", "8.8.0.0/16", *needed))
    site.tick()
    assert not blocked(policy) & AddressSet.of(*needed)
    assert blocked(policy) & AddressSet.of("8.8.0.0/16")
    assert policy.current is not None
    named = {label for reason, label, _ in policy.current.cut_items if reason == "critical"}
    assert any("a.root-servers.net" in label for label in named)
    assert len(named) >= 4


def test_failure_04_the_server_a_list_comes_from_is_never_blocked(site: Site) -> None:
    """The web server here is on 127.0.0.1, which only a policy of bogons would block at all."""
    policy = site.policy(site.source("/bogons", "127.0.0.0/8", "10.0.0.0/8"), keep_special=True)
    site.tick()
    assert not blocked(policy) & AddressSet.of("127.0.0.1")


def test_failure_06_what_is_no_whole_entry_is_no_entry_and_is_counted(site: Site) -> None:
    junk = ["7.7.7.78.8.8.8", "v4.7.7.7.7", "http://7.7.7.7/24", "7.7.7.7.7", "7.7.7",
            "7.7.7.7/33", "7.7.7.7:443", "example.com", "7.7.7.256", "7.7.7.7/", "007.7.7.7",
            "0x7.7.7.7"]  # fmt: skip
    good = [f"5.6.7.{n}" for n in range(1, 200, 2)]
    source = site.source("/list", *good, *junk)
    policy = site.policy(source, reject_limit=20)
    site.tick()
    assert blocked(policy) == AddressSet.of(*good)
    retrieval = last(source)
    assert retrieval.entries == len(good)
    assert sum(count for _, count in retrieval.skipped) == len(junk)
    assert retrieval.samples


def test_failure_06_a_list_of_which_too_much_is_no_entry_is_a_failed_retrieval(
    site: Site,
) -> None:
    source = site.source("/list", *GOOD)
    policy = site.policy(source)
    site.tick()
    before = body(policy)
    site.shelf.put("/list", *GOOD, *(f"{entry}{entry}" for entry in GOOD), "junk")
    site.tick(hours=1)
    assert (last(source).outcome, body(policy)) == (Outcome.REFUSED, before)
    assert "no list of addresses" in last(source).error


def test_failure_06_columns_of_start_end_and_length_are_one_network_and_not_two_hosts(
    site: Site,
) -> None:
    table = ["# comment", "Start\tEnd\tNetblock\tAttacks", "5.6.7.0\t5.6.7.255\t24\t3021",
             "5.9.0.0\t5.9.255.255\t16\t17"]  # fmt: skip
    policy = site.policy(site.source("/block", *table, settings={"layout": "dshield"}))
    site.tick()
    assert blocked(policy) == AddressSet.of("5.6.7.0/24", "5.9.0.0/16")


def test_failure_23_what_a_response_policy_zone_lets_pass_is_never_blocked(
    site: Site, tmp_path: Path
) -> None:
    key = TsigKey()
    zone = write_zone(
        tmp_path / "zone",
        [
            "24.0.7.6.5.rpz-ip CNAME .",
            "32.7.7.6.5.rpz-ip CNAME rpz-passthru.",
            "32.9.9.9.5.rpz-ip CNAME rpz-passthru.",
            "32.8.8.8.5.rpz-ip CNAME rpz-tcp-only.",
            "32.7.7.7.5.rpz-ip A 192.0.2.80",  # a captive page: not for a firewall to guess at
        ],
    )
    try:
        server = Bind({"rpz.example": zone}, keys=[key])
    except BindMissing as error:
        pytest.skip(str(error))
    with server:
        block, allow = (
            create_source(
                name=take, kind="zone", actor="test", now=site.now,
                settings={"name": "rpz.example", "servers": [server.server], "take": take,
                          **key.settings},
            )
            for take in ("block", "allow")
        )  # fmt: skip
        policy = site.policy(block, allow=[allow])
        site.tick()
    assert blocked(policy) == AddressSet.of("5.6.7.0/24") - AddressSet.of("5.6.7.7")
    assert blocked(policy, Role.ALLOW) == AddressSet.of("5.6.7.7", "5.9.9.9")
    assert not blocked(policy) & blocked(policy, Role.ALLOW)
