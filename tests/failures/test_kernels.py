"""Ways in which lists in kernels have hurt people, each tried against the real kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enforcement.kernel.apply import Ending, Outcome, enforce
from enforcement.kernel.base import Content, Rules, Target, Way, digest_of
from enforcement.kernel.boot import main as boot, restore
from enforcement.kernel.canaries import Canary
from enforcement.kernel.conntrack import cut_connections
from enforcement.kernel.errors import EnforceError, EnforceRefused, KernelDiffers
from enforcement.kernel.host import Canaries, Host, NoCanaries
from enforcement.kernel.ipset_fill import NetlinkFiller
from enforcement.kernel.iptables import IptablesEnforcer
from enforcement.kernel.layout import Entries, SetName
from enforcement.kernel.room import refuse_beyond
from enforcement.kernel.state import StateFolder
from enforcement.kernel.verify import verify
from enforcement.services.canaries import ProbedCanaries
from netsets.cidr import AddressSet
from netsets.codec import encode
from tests.fakes.gateway import clean, sh
from tests.fakes.network import CLIENT4, MORE4, MORE6, SERVER4, Lab, lab

pytestmark = pytest.mark.kernel
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LISTED, LISTED6, OTHER = MORE4[0], MORE6[0], MORE4[5]


@dataclass(frozen=True)
class Enforced:
    """This namespace as a gateway that enforces, between a client and a server."""

    network: Lab
    host: Host

    def enforce(
        self, *block: str, allow: tuple[str, ...] = (), canaries: Canaries | None = None,
        number: int = 1, rules: Rules = Rules(),  # noqa: B008  frozen
    ) -> Outcome:  # fmt: skip
        """Bring a block list into force."""
        content = Content(AddressSet.of(*block), AddressSet.of(*allow))
        stored = {digest_of(one): encode(one) for one in (content.block, content.allow)}
        target = Target(f"edge #{number}", "iptables", *content.digests(), rules, number)
        return enforce(
            host=self.host,
            target=target,
            stored=stored.__getitem__,
            canaries=canaries or NoCanaries(),
            cut=lambda newly, allowed: cut_connections(newly, allowed=allowed).cut,
        )

    def passes(self, address: str) -> bool:
        """Tell whether the client reaches an address through this gateway."""
        return self.network.pings("client", address)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Enforced]:
    with lab() as network:
        try:
            yield Enforced(network, Host(StateFolder(tmp_path / "enforce")))
        finally:
            clean()


def many(count: int) -> tuple[str, ...]:
    return tuple(f"11.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in range(0, 2 * count, 2))


def test_failure_09_a_list_that_outgrows_its_set_is_loaded_whole(gateway: Enforced) -> None:
    gateway.enforce(LISTED)
    assert not gateway.passes(LISTED)
    grown = gateway.enforce(LISTED, OTHER, *many(70_000), number=2)  # stock maxelem is 65,536
    assert grown.ending == Ending.APPLIED
    assert grown.sets["TSblockaddr"].entries == 70_002
    assert not gateway.passes(OTHER)


def test_failure_10_a_list_that_cannot_be_loaded_keeps_no_rules_out(gateway: Enforced) -> None:
    gateway.enforce(LISTED)
    clean()  # somebody flushed everything
    small = Host(gateway.host.folder, available=lambda: 1 << 20)
    with pytest.raises(EnforceRefused, match="MiB of memory"):
        Enforced(gateway.network, small).enforce(OTHER, *many(70_000), number=2)
    assert "-A FORWARD -j TSforward" in sh("iptables-save", "-t", "filter")
    verify(host=gateway.host, now=NOW)
    assert not gateway.passes(LISTED)


def test_failure_10_what_was_in_force_is_brought_back_whatever_memory_is_left(
    gateway: Enforced,
) -> None:
    many_more = (LISTED, *many(70_000))
    gateway.enforce(*many_more)
    for deed in (lambda host: verify(host=host, now=NOW), lambda host: restore(host=host, now=NOW)):
        clean()  # somebody flushed everything, and the memory of the machine is taken
        assert gateway.passes(LISTED)
        deed(replace(gateway.host, available=lambda: 1 << 10))
        assert not gateway.passes(LISTED)


def test_failure_13_a_stop_leaves_the_sets_and_a_boot_brings_them_back(
    gateway: Enforced,
) -> None:
    gateway.enforce(LISTED, LISTED6, "198.51.100.64/26")
    assert not gateway.passes(LISTED)  # nothing runs here any more, and it is in force
    clean()  # as after a boot
    assert gateway.passes(LISTED)
    assert boot([str(gateway.host.folder.path)]) == 0
    for address in (LISTED, LISTED6):
        assert not gateway.passes(address)
    assert gateway.passes(OTHER)


def test_failure_13_a_damaged_state_neither_opens_nor_closes_the_host(gateway: Enforced) -> None:
    gateway.enforce(LISTED)
    for state in gateway.host.folder.path.glob("state*.json"):
        state.write_text("{")
    assert boot([str(gateway.host.folder.path)]) == 1
    assert not gateway.passes(LISTED)
    assert gateway.passes(OTHER)


@pytest.mark.parametrize(
    "deed",
    [
        ("iptables", "-F"),
        ("iptables", "-F", "TSforward"),
        ("iptables", "-D", "FORWARD", "-j", "TSforward"),
        ("ipset", "flush", "TSblockaddr"),
        ("ipset", "del", "TSblockaddr", LISTED),
    ],
    ids=" ".join,
)
def test_failure_14_what_another_program_flushes_is_seen_and_healed(
    gateway: Enforced, deed: tuple[str, ...]
) -> None:
    gateway.enforce(LISTED, "198.51.100.14")
    sh(*deed)
    assert gateway.passes(LISTED)
    found = verify(host=gateway.host, now=NOW)
    assert found.healed
    assert not gateway.passes(LISTED)
    assert verify(host=gateway.host, now=NOW).healed == ()


@pytest.mark.allow_hosts([CLIENT4])
def test_failure_15_a_list_that_locks_us_out_is_taken_back_by_itself(gateway: Enforced) -> None:
    gateway.enforce(LISTED)
    console = Canary("console", CLIENT4)
    canaries = ProbedCanaries({str(console): console})
    ended = gateway.enforce(LISTED, OTHER, CLIENT4, canaries=canaries, number=2)
    assert (ended.ending, ended.lost) == (Ending.ROLLED_BACK, (f"console {CLIENT4}",))
    assert gateway.network.pings("client", "192.0.2.1")  # the way to the gateway itself
    assert not gateway.passes(LISTED)  # the list before is in force again, whole
    assert gateway.passes(OTHER)


def test_failure_16_open_connections_to_what_is_newly_listed_are_cut_and_no_others(
    gateway: Enforced,
) -> None:
    sh("iptables", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT")
    gateway.enforce("203.0.113.1", allow=(MORE4[7],))
    hold = (
        "import socket,sys\n"
        "held=[socket.create_connection((a,8080),timeout=3) for a in sys.argv[1:]]\n"
        "print('held',flush=True)\n"
        "sys.stdin.read()\n"
    )
    addresses = (LISTED, OTHER, MORE4[7])
    with (
        gateway.network.listening("server", "0.0.0.0", 8080),  # noqa: S104  inside the lab
        subprocess.Popen(
            [*gateway.network.prefix("client"), "python3", "-c", hold, *addresses],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as client,
    ):  # fmt: skip
        assert client.stdout is not None
        assert client.stdout.readline().strip() == "held"
        ended = gateway.enforce("203.0.113.1", LISTED, MORE4[7], allow=(MORE4[7],), number=2)
        left = sh("conntrack", "-L", "-p", "tcp")
        client.kill()
    assert ended.cut == 1
    assert f"dst={LISTED} " not in left
    assert f"dst={OTHER} " in left
    assert f"dst={MORE4[7]} " in left


def test_failure_28_a_load_that_stops_in_the_middle_leaves_the_list_before_in_force(
    gateway: Enforced, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.enforce(LISTED)
    fill = NetlinkFiller.fill

    def stop_half_way(self: NetlinkFiller, called: str, name: SetName, entries: Entries) -> None:
        half = len(entries) // 2
        fill(self, called, name, Entries(entries.first[:half], entries.length[:half]))

    monkeypatch.setattr(NetlinkFiller, "fill", stop_half_way)
    with pytest.raises(KernelDiffers, match=r"TSblockaddr.new .* 500 .* 1,000"):
        gateway.enforce(OTHER, *many(999), number=2)
    monkeypatch.undo()
    assert not gateway.passes(LISTED)
    assert gateway.passes(OTHER)
    assert verify(host=gateway.host, now=NOW).healed == ()


def test_failure_29_what_needs_too_much_memory_is_refused_before_it_is_loaded() -> None:
    plan = IptablesEnforcer().plan(
        None, Content(AddressSet.of("11.0.0.0/8"), AddressSet.empty()), Rules()
    )
    assert plan.way == Way.REPLACE
    assert plan.memory > 0
    with pytest.raises(EnforceRefused, match="shorten the list"):
        refuse_beyond(1 << 30, needed=1 << 30)


def test_failure_30_no_neighbours_are_fused_into_ranges_that_nobody_listed(
    gateway: Enforced,
) -> None:
    listed = ("203.0.113.0/25", "203.0.113.129", "203.0.113.131", "198.51.100.10")
    gateway.enforce(*listed)
    live = IptablesEnforcer().read(Rules()).content
    assert live is not None
    assert live.block.count == AddressSet.of(*listed).count == 131
    assert "203.0.113.130" not in live.block


def test_failure_32_nothing_is_torn_down_before_what_is_new_is_ready(gateway: Enforced) -> None:
    gateway.enforce(LISTED)

    def lost(digest: str) -> bytes:
        raise OSError(5, f"{digest} cannot be read")

    target = Target("edge #2", "iptables", "0" * 64, "0" * 64)
    with pytest.raises(EnforceError):
        enforce(
            host=gateway.host, target=target, stored=lost, canaries=NoCanaries(),
            cut=lambda _newly, _allowed: 0,
        )  # fmt: skip
    assert not gateway.passes(LISTED)
    assert gateway.passes(SERVER4)
