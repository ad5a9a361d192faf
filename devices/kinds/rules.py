"""The rules that settings are held to: each takes a name and a value, and returns a value."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence

from devices.kinds.base import SettingRefused

NICKNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
DEVICE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
DNS_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")
_SIZE = re.compile(r"([0-9]{1,12})\s*([kKmMgG]?)[bB]?")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
_PROXY = re.compile(r"http://(?P<host>[^\s/@:]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})/?")
_YES, _NO = frozenset({"y", "yes", "on", "true", "1"}), frozenset({"n", "no", "off", "false", "0"})
# A host's own name: it is part of the name of a queue.
NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# More than 10,000 a second is more than a kernel can hold to.
_RATE = re.compile(r"([1-9][0-9]{0,3}|10000)/second|[1-9][0-9]{0,4}/(minute|hour)")
# A host name or a DeviceUUID, as it stands in a log line.
_LOG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
LOG_SIZE_LEAST, LOG_SIZE_MOST = 1_000, 1_000_000_000
LOG_QUOTA_LEAST, LOG_QUOTA_MOST = 1_000_000, 1_000_000_000_000
MOST_ITEMS = 64
MOST_TARGETS = 8
_PROTOCOLS = frozenset({"udp", "tcp", "tls"})


def nickname(name: str, value: object) -> str:
    """Letters, digits, '-' and '_': the name stands in paths and reports."""
    return _matching(NICKNAME, name, value, "1 to 64 letters, digits, '-' or '_'")


def device_id(name: str, value: object) -> str:
    """A device ID such as tdid_abcd1234: it stands in the feed's URL."""
    return _matching(DEVICE_ID, name, value, "1 to 64 letters, digits, '-' or '_'")


def address(name: str, value: object) -> str:
    """An IPv4 or IPv6 address in its canonical form; "" is kept."""
    text = str(value).strip()
    if not text:
        return ""
    try:
        found = ipaddress.ip_address(text)
    except ValueError as error:
        raise SettingRefused(name, value, "an IPv4 or IPv6 address") from error
    if "%" in text:
        raise SettingRefused(name, value, "an IPv4 or IPv6 address without a zone")
    return str(found)


def addresses(name: str, value: object) -> list[str]:
    """Addresses, separated by blanks or commas."""
    return [address(name, item) for item in _items(name, value)]


def networks(name: str, value: object) -> list[str]:
    """Addresses and networks, separated by blanks or commas."""
    return [_network(name, item) for item in _items(name, value)]


def senders(name: str, value: object) -> list[str]:
    """Addresses and networks that lines come from; one address stands without a length."""
    found = [ipaddress.ip_network(item) for item in networks(name, value)]
    return [str(one.network_address if one.num_addresses == 1 else one) for one in found]


def canaries(name: str, value: object) -> list[str]:
    """Addresses, each with a TCP port where it has one, such as `[2001:db8::1]:443`."""
    return [_canary(name, item) for item in _items(name, value)]


def node(name: str, value: object) -> str:
    """A machine's name, as it calls itself; "" is kept."""
    text = str(value).strip()
    return _matching(NODE, name, text, "a machine's own name, such as gw1") if text else ""


def rate(name: str, value: object) -> str:
    """A number a second, minute or hour, such as 10/second; "" is kept."""
    text = str(value).strip().lower()
    return _matching(_RATE, name, text, "a rate such as 10/second, or nothing") if text else ""


def dns_name(name: str, value: object) -> str:
    """A DNS name without a final dot; "" is kept."""
    text = str(value).strip()
    return _matching(DNS_NAME, name, text, "a DNS name").rstrip(".") if text else ""


def servers(name: str, value: object) -> list[str]:
    """DNS servers, names or addresses, each with a port where it has its own."""
    return [_server(name, item) for item in _items(name, value)]


def port(name: str, value: object) -> int:
    """A port number."""
    return _number(name, value, least=1, most=65535, accepted="a port from 1 to 65535")


def yes_no(name: str, value: object) -> bool:
    """y, yes, on, true, 1 or their opposites."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _YES | _NO:
        return text in _YES
    raise SettingRefused(name, value, "yes or no")


def log_size(name: str, value: object) -> int:
    """Bytes, or a number with k or M (1,000 and 1,000,000), such as 100k."""
    accepted = "a size such as 100k, from 1k to 1000M"
    return _size(name, value, least=LOG_SIZE_LEAST, most=LOG_SIZE_MOST, accepted=accepted)


def log_quota(name: str, value: object) -> int:
    """Bytes, or a number with k, M or G, such as 1000M."""
    accepted = "a size such as 1000M, from 1M to 1000G"
    return _size(name, value, least=LOG_QUOTA_LEAST, most=LOG_QUOTA_MOST, accepted=accepted)


def log_names(name: str, value: object) -> list[str]:
    """Host names and DeviceUUIDs, separated by blanks or commas."""
    accepted = "host names or DeviceUUIDs as they stand in the log lines"
    return [_matching(_LOG_NAME, name, item, accepted) for item in _items(name, value)]


def count(name: str, value: object) -> int | None:
    """A whole number above zero; nothing means no limit."""
    if str(value).strip() == "":
        return None
    accepted = "a whole number above 0, or nothing for no limit"
    return _number(name, value, least=1, most=2_000_000_000, accepted=accepted)


def forward(name: str, value: object) -> str:
    """Where syslog is copied to: `host:port/udp`, `/tcp` or `/tls`, several by commas or blanks.

    "" is kept.
    """
    found = list(dict.fromkeys(_target(name, item) for item in _items(name, value)))
    if len(found) > MOST_TARGETS:
        raise SettingRefused(name, f"{len(found)} targets", f"up to {MOST_TARGETS} targets")
    return ", ".join(found)


def forward_source(name: str, value: object) -> str:
    """How a forwarded line tells its sender; nothing means not at all."""
    return one_of("none", "structured-data", "header")(name, value or "none")


def log_writer(name: str, value: object) -> str:
    """Who writes a device's log files; nothing means the receiver."""
    return one_of("receiver", "rsyslog")(name, value or "receiver")


def targets_of(forward: str) -> tuple[str, ...]:
    """Return the targets of a stored `forward`, each as `host:port/protocol`."""
    return tuple(forward.replace(",", " ").split())


def proxy(name: str, value: object) -> str:
    """An HTTP proxy that supports CONNECT: `http://address:port`; "" is kept."""
    text = str(value).strip()
    if not text:
        return ""
    match = _PROXY.fullmatch(text)
    if match is None:
        raise SettingRefused(
            name, value, "http://address:port (HTTPS proxies are not supported; user and password "
            "are settings of their own)"
        )  # fmt: skip
    _host(name, match["host"].strip("[]"))
    return f"http://{match['host']}:{port(name, match['port'])}"


def one_of(*choices: str) -> Callable[[str, object], str]:
    """One of the given words."""

    def rule(name: str, value: object) -> str:
        text = str(value).strip().lower()
        if text not in choices:
            raise SettingRefused(name, value, " or ".join(choices))
        return text

    return rule


def text(most: int) -> Callable[[str, object], str]:
    """Free text up to a length, without control characters."""

    def rule(name: str, value: object) -> str:
        found = str(value)
        if len(found) > most or any(ord(c) < 32 and c not in "\n\t" for c in found):
            raise SettingRefused(name, value, f"up to {most} characters of plain text")
        return found

    return rule


def _host(name: str, value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return _matching(DNS_NAME, name, value, "a host name or an address").rstrip(".")


def _target(name: str, value: str) -> str:
    """Return `host:port/protocol`, an IPv6 address in brackets."""
    accepted = "host:port/udp, host:port/tcp or host:port/tls"
    where, _, protocol = value.lower().partition("/")
    host, _, number = where.rpartition(":")
    is_bare = ":" in host and not (host.startswith("[") and host.endswith("]"))
    if protocol not in _PROTOCOLS or is_bare:
        raise SettingRefused(name, value, accepted)
    try:
        found = _host(name, host.removeprefix("[").removesuffix("]"))
        shown = f"[{found}]" if ":" in found else found
        return f"{shown}:{port(name, number)}/{protocol}"
    except SettingRefused as error:
        raise SettingRefused(name, value, accepted) from error


def _network(name: str, value: str) -> str:
    accepted = "networks such as 192.0.2.0/24, without host bits or a zone"
    if "%" in value:
        raise SettingRefused(name, value, accepted)
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise SettingRefused(name, value, accepted) from error


def _server(name: str, value: str) -> str:
    """Return `host`, `host:port` or `[IPv6]:port`."""
    host, colon, number = value.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):  # no port, or a bare IPv6 address
        return _host(name, value)
    found = _host(name, host.removeprefix("[").removesuffix("]"))
    shown = f"[{found}]" if ":" in found else found
    return f"{shown}:{port(name, number)}"


def _canary(name: str, value: str) -> str:
    """Return `address`, `address:port` or `[IPv6]:port`: a name would need a resolver."""
    host, colon, number = value.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return _one_host(name, value)
    found = _one_host(name, host.removeprefix("[").removesuffix("]"))
    shown = f"[{found}]" if ":" in found else found
    return f"{shown}:{port(name, number)}"


def _one_host(name: str, value: str) -> str:
    """Return an address that one host has, and can be asked at."""
    found = address(name, value)
    asked = ipaddress.ip_address(found) if found else None
    if asked is None or asked.is_multicast or asked.is_unspecified:
        raise SettingRefused(name, value, "the address of one host, such as 192.0.2.1")
    return found


def _items(name: str, value: object) -> Sequence[str]:
    """Return the items of a list or a text; each pull walks some of them, so they are few."""
    if isinstance(value, list | tuple):
        found = [str(item).strip() for item in value]
    else:
        found = str(value).replace(",", " ").split()
    if len(found) > MOST_ITEMS:
        raise SettingRefused(name, f"{len(found)} items", f"up to {MOST_ITEMS} items")
    return found


def _matching(pattern: re.Pattern[str], name: str, value: object, accepted: str) -> str:
    found = str(value).strip()
    if pattern.fullmatch(found) is None:
        raise SettingRefused(name, value, accepted)
    return found


def _size(name: str, value: object, *, least: int, most: int, accepted: str) -> int:
    match = _SIZE.fullmatch(str(value).strip())
    if match is None:
        raise SettingRefused(name, value, accepted)
    size = int(match[1]) * _UNITS[match[2].lower()]
    if not least <= size <= most:
        raise SettingRefused(name, value, accepted)
    return size


def _number(name: str, value: object, *, least: int, most: int, accepted: str) -> int:
    found = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,10}", found):
        raise SettingRefused(name, value, accepted)
    if not least <= int(found) <= most:
        raise SettingRefused(name, value, accepted)
    return int(found)
