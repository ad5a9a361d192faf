"""What the tests of packets share: the hosts of the lab by family, and what programs are told."""

from __future__ import annotations

from tests.fakes.network import (
    CLIENT4,
    CLIENT6,
    GATEWAY4,
    GATEWAY6,
    MORE4,
    MORE6,
    SERVER4,
    SERVER6,
    Lab,
)

# By family: client, gateway on the client's side and on the server's, server, more of the server's.
HOSTS = {
    4: (CLIENT4, *GATEWAY4, SERVER4, *MORE4[:2]),
    6: (CLIENT6, *GATEWAY6, SERVER6, *MORE6[:2]),
}
# Some of the server's addresses, none of the gateway's own.
NETWORK = {4: "198.51.100.8/29", 6: "2001:db8:2::10/124"}
PORT = 8080
_SENDS = (
    "import socket,sys\n"
    "family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
    "try: socket.socket(family,socket.SOCK_DGRAM).sendto(b'x',(sys.argv[1],9))\n"
    "except OSError as error: print(error.errno)\n"
)
CONNECTS = (
    "import socket,sys\n"
    "try: socket.create_connection((sys.argv[1],int(sys.argv[2])),timeout=2)\n"
    "except OSError as error: print(type(error).__name__)\n"
)


def error_of_sending(network: Lab, address: str) -> int:
    """Return the error that a program of the gateway is told when it sends, 0 for none."""
    said = network.run("gateway", "python3", "-c", _SENDS, address).stdout.strip()
    return int(said or 0)
