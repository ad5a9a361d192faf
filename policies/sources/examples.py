"""The settings of each kind by example: what the console and the API say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType

# What works as it stands once its names are one's own, and what else there is.
EXAMPLES: Mapping[str, tuple[Mapping[str, object], str]] = MappingProxyType({
    "dns": (
        {"name": "basic.threatstop.local", "servers": ["192.0.2.53"], "port": 53},
        "Without servers the site's own are asked. More: encoding, max_names, max_bytes.",
    ),
    "file": (
        {"path": "/srv/lists", "pattern": "*.txt"},
        ("A file or a folder that the site allows. More: layout, column, separator, json_path, "
        "max_bytes, max_files."),
    ),
    "http": (
        {"url": "https://lists.example/block.txt", "auth": "basic", "username": "us",
         "password": "…"},
        ("auth is none, basic, bearer (token), header (header_name, header_value) or certificate. "
        "More: layout (lines, dshield, csv with column and separator, json with path), member, "
        "client_certificate, client_key, proxy, proxy_username, proxy_password, ca, max_bytes, "
        "max_redirects, allow_internal, user_agent."),
    ),
    "memory": ({"entries": ["192.0.2.0/24", "198.51.100.7"]}, ""),
    "user": ({"type": "block"}, "block or allow, for good; its records are added on its page."),
    "zone": (
        {"name": "drop.rpz.example", "servers": ["192.0.2.53"], "key_name": "tscm",
         "key_algorithm": "hmac-sha256", "key_secret": "c2VjcmV0IHRoYXQgaXMgc2hhcmVk"},
        ("take is block or allow: what a response policy zone blocks, or lets pass. More: port, "
        "tls, tls_ca, tls_name, incremental, max_records, max_bytes, must_prove."),
    ),
})  # fmt: skip


def settings_lines(kinds: Mapping[str, str]) -> Iterator[str]:
    """Yield what settings look like: an example for each of `kinds` (name -> label)."""
    yield "JSON, by the kind."
    for kind, label in kinds.items():
        example, more = EXAMPLES[kind]
        yield f"{label}: {json.dumps(example, ensure_ascii=False)} {more}".rstrip()
    yield (
        "Passwords, tokens and keys stand here too; they are kept encrypted and never shown. One "
        "that is left out stays as it is, an empty one is taken away."
    )
