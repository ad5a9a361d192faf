"""Host names to addresses, by the system's own resolver and within a deadline."""

from __future__ import annotations

import ipaddress
import socket
import threading

from policies.sources.base import Deadline


def is_address(text: str) -> bool:
    """Tell whether `text` is an address, and one that means the same on every machine."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def without_brackets(host: str) -> str:
    """Return a host as it is resolved: an IPv6 address in a URL is in brackets."""
    return host.removeprefix("[").removesuffix("]")


def resolve(host: str, deadline: Deadline) -> list[str]:
    """Return the addresses of `host`, each once, in the resolver's order.

    Raises `TimeoutError` at the deadline, and `LookupError` with the reason where there is none.
    """
    found: list[str] = []
    reason: list[str] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason.append(str(error))
        else:
            hosts = dict.fromkeys(str(answer[4][0]) for answer in answers)
            # An address with a zone means nothing elsewhere, and no set of addresses can hold it.
            found.extend(host for host in hosts if is_address(host))

    # getaddrinfo knows no time-out: it runs in a thread that is left behind at the deadline,
    # and ends by itself when the system's resolver gives up.
    thread = threading.Thread(target=look_up, name=f"resolve {host}", daemon=True)
    thread.start()
    thread.join(deadline.remaining())
    if thread.is_alive():
        raise TimeoutError("the system's resolver gave no address of it in time")
    if not found:
        raise LookupError(f"no address found ({'; '.join(reason) or 'none given'})")
    return found
