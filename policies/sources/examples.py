"""The settings of each kind by example: what the console and the API say of them."""

from __future__ import annotations

from types import MappingProxyType

# One sentence a kind, written so that a person can copy the JSON and change it.
EXAMPLES = MappingProxyType({
    "dns": '{"name": "basic.threatstop.local", "servers": ["192.0.2.53"], "port": 53}, and where '
    "needed encoding, max_names and max_bytes. Without servers the site's own are asked.",
    "zone": '{"name": "rpz.example.net", "servers": ["192.0.2.53"], "key_name": "tscm.", '
    '"key_algorithm": "hmac-sha256", "key_secret": "…"}, with "tls": true for DNS over TLS and '
    '"take": "allow" for what a response policy zone lets pass.',
    "http": '{"url": "https://lists.example.net/drop.txt"}, and where needed layout (lines, '
    "dshield, csv with column, json with path), auth with its username, password or token, proxy "
    "and allow_internal.",
    "file": '{"path": "/srv/lists/ours.txt"}, a file or a folder that the site allows, with '
    "pattern and layout where needed.",
    "user": '{"type": "block"} or {"type": "allow"}, for good; its records are added on its page.',
    "memory": '{"entries": ["192.0.2.0/24", "198.51.100.7"]}.',
})  # fmt: skip


def settings_help(kinds: dict[str, str]) -> str:
    """Return what settings look like: an example for each of `kinds` (name -> label)."""
    lines = [f"{label}: {EXAMPLES[kind]}" for kind, label in kinds.items() if kind in EXAMPLES]
    secrets = "Passwords, tokens and keys stand here too; they are kept encrypted and never shown."
    return " ".join(["JSON.", *lines, secrets])
