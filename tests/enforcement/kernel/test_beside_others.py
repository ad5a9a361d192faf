"""On one host with fail2ban, ufw, firewalld and Docker: they keep working, and so do we.

The first three are the real programs, on this host's own choice of backend. Docker's engine needs
more than a test may ask for: the rules that dockerd writes are replayed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from enforcement.kernel.base import Rules
from enforcement.kernel.iptables_live import IptablesRules
from tests.fakes.firewalls import fail2ban, firewalld, ufw, until
from tests.fakes.gateway import Gateway, gateway, sh
from tests.fakes.network import CLIENT4, GATEWAY4, MORE4, SERVER4, Lab

pytestmark = pytest.mark.kernel

RULES = Rules()
HERE = GATEWAY4[0]
PORT, OTHER_PORT = 8080, 8081


@pytest.fixture
def host() -> Iterator[Gateway]:
    """Our sets, and the backend of this host."""
    with gateway("iptables") as made:
        yield made


@pytest.fixture
def rules(host: Gateway) -> IptablesRules:
    """Our rules, written before anybody else comes."""
    made = IptablesRules()
    made.write(RULES)
    return made


def blocked_for_a_moment(network: Lab, host: Gateway) -> bool:
    """Tell whether we keep the client out while it is listed, and let it in when it is not."""
    assert network.connects("client", HERE, PORT)
    host.list("block", CLIENT4)
    kept_out = not network.connects("client", HERE, PORT)
    sh("ipset", "del", "TSblockaddr", CLIENT4)
    return kept_out and network.connects("client", HERE, PORT)


def test_fail2ban_bans_and_unbans_and_nobody_moves_the_other(
    network: Lab, host: Gateway, rules: IptablesRules
) -> None:
    action = f'iptables-multiport[name=lab, port="{PORT}", protocol=tcp, chain=INPUT]'

    def is_banned() -> bool:
        return f"-s {CLIENT4}/32" in host.iptables(4, "-S", "f2b-lab")

    with network.listening("gateway", HERE, PORT), fail2ban(action) as program:
        program.tell("set", "lab", "banip", CLIENT4)
        until(lambda: "f2b-lab" in host.says(4) and is_banned(), "fail2ban bans")
        assert not network.connects("client", HERE, PORT)
        # It stands before us and can only refuse: it stays there.
        assert host.iptables(4, "-S", "INPUT").splitlines()[1].endswith("-j f2b-lab")
        assert rules.read(RULES).faults == ()
        before = host.says(4).splitlines()[1:-1]
        rules.write(RULES)
        assert host.says(4).splitlines()[1:-1] == before

        host.iptables(4, "-D", "INPUT", "-j", "TSinput")
        rules.write(RULES)
        assert rules.read(RULES).faults == ()
        program.tell("set", "lab", "unbanip", CLIENT4)
        until(lambda: not is_banned(), "fail2ban takes the ban back")
        assert blocked_for_a_moment(network, host)
        program.tell("set", "lab", "banip", CLIENT4)
        until(is_banned, "fail2ban bans again")
    assert "f2b" not in host.says(4)
    assert rules.read(RULES).faults == ()


@pytest.mark.parametrize("manages_built_ins", [False, True])
def test_ufw_allows_what_is_not_listed(
    network: Lab, host: Gateway, rules: IptablesRules, manages_built_ins: bool
) -> None:
    with (
        network.listening("gateway", HERE, PORT),
        network.listening("gateway", HERE, OTHER_PORT),
        ufw(manages_built_ins=manages_built_ins) as program,
    ):
        program.tell("allow", f"{PORT}/tcp")
        program.tell("--force", "enable")
        # One that manages the built-in chains has flushed everything of everybody.
        assert bool(rules.read(RULES).faults) == manages_built_ins
        rules.write(RULES)
        assert rules.read(RULES).faults == ()
        assert "Status: active" in program.tell("status")
        assert not network.connects("client", HERE, OTHER_PORT)
        assert blocked_for_a_moment(network, host)
        program.tell("reload")
        rules.write(RULES)
        assert blocked_for_a_moment(network, host)
        rules.remove()
        assert network.connects("client", HERE, PORT)
        assert not network.connects("client", HERE, OTHER_PORT)


@pytest.mark.parametrize("backend", ["iptables", "nftables"])
def test_firewalld_allows_what_is_not_listed(
    network: Lab, host: Gateway, rules: IptablesRules, backend: str
) -> None:
    with (
        network.listening("gateway", HERE, PORT),
        network.listening("gateway", HERE, OTHER_PORT),
        firewalld(backend) as program,
    ):
        # When it starts it takes the rules of everybody out, whatever its backend.
        assert "INPUT does not jump to TSinput (iptables)" in rules.read(RULES).faults
        rules.write(RULES)
        program.tell("--zone=public", f"--add-port={PORT}/tcp")
        assert rules.read(RULES).faults == ()
        assert blocked_for_a_moment(network, host)
        assert not network.connects("client", HERE, OTHER_PORT)

        program.tell("--runtime-to-permanent")
        program.tell("--reload")
        rules.write(RULES)
        assert rules.read(RULES).faults == ()
        assert blocked_for_a_moment(network, host)
        assert not network.connects("client", HERE, OTHER_PORT)


# What dockerd 26 writes for its default bridge and one published port.
DOCKER = """\
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
COMMIT
*filter
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
"""
# It inserts these at the top of FORWARD, the last line first, at each start.
INSERTS = (
    "-i docker0 -o docker0 -j ACCEPT",
    "-i docker0 ! -o docker0 -j ACCEPT",
    "-o docker0 -j DOCKER",
    "-o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "-j DOCKER-ISOLATION-STAGE-1",
    "-j DOCKER-USER",
)


def start_docker(host: Gateway) -> None:
    for rule in INSERTS:
        host.iptables(4, "-I", "FORWARD", *rule.split())


def test_after_dockers_start_we_come_before_what_it_accepts(
    network: Lab, host: Gateway, rules: IptablesRules
) -> None:
    sh("iptables-restore", "--noflush", given=DOCKER)
    start_docker(host)
    # As for docker0: what goes to the server and comes from it is accepted, whatever follows.
    host.iptables(4, "-I", "FORWARD", "-i", "sv0", "-j", "ACCEPT")
    host.iptables(4, "-I", "FORWARD", "-o", "sv0", "-j", "ACCEPT")
    host.list("block", MORE4[0])
    assert network.pings("client", MORE4[0])  # the hole that is to be seen
    told = "FORWARD may let packets pass before it jumps to TSforward: -o sv0 -j ACCEPT (iptables)"
    assert rules.read(RULES).faults == (told,)
    dockers = [line for line in host.says(4).splitlines() if "TS" not in line][1:-1]

    rules.write(RULES)
    assert rules.read(RULES).faults == ()
    assert not network.pings("client", MORE4[0])
    assert network.pings("client", SERVER4)
    assert [line for line in host.says(4).splitlines() if "TS" not in line][1:-1] == dockers

    start_docker(host)  # a restart
    assert len(rules.read(RULES).faults) == 1
    rules.write(RULES)
    assert rules.read(RULES).faults == ()
    assert not network.pings("client", MORE4[0])


def test_dockers_chains_that_only_return_or_drop_may_stand_before_us(
    network: Lab, host: Gateway, rules: IptablesRules
) -> None:
    sh("iptables-restore", "--noflush", given=DOCKER)
    for rule in INSERTS[-2:]:
        host.iptables(4, "-I", "FORWARD", *rule.split())
    assert rules.read(RULES).faults == ()
