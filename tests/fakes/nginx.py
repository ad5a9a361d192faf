"""A real nginx that serves a folder of lists."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fakes.foreground import Foreground, program

_CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    default_type text/plain;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/lists;
        location /packed/ {{ alias {folder}/lists/; gzip on; gzip_min_length 1; gzip_types *; }}
        location /moved/ {{ return 301 /list.txt; }}
        location /page/ {{ return 200 "<html><title>Welcome</title></html>"; }}
    }}
}}
"""


class Nginx(Foreground):
    """nginx over `lists`, plain at `/`, gzipped at `/packed/`."""

    @property
    def lists(self) -> Path:
        """The folder that is served."""
        return self.folder / "lists"

    def command(self) -> list[str]:
        """Write the configuration, and return what starts it."""
        self.lists.mkdir()
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(folder=self.folder, port=self.port), encoding="ascii"
        )
        return [program("nginx", "nginx"), "-p", str(self.folder), "-c", str(configuration)]

    def url(self, path: str) -> str:
        """Return the URL of a list."""
        return f"http://127.0.0.1:{self.port}{path}"

    def write(self, name: str, body: bytes, *, modified: int) -> None:
        """Publish a list as nginx users should: whole, and with its own moment."""
        aside = self.lists / f".{name}"
        aside.write_bytes(body)
        os.utime(aside, (modified, modified))
        aside.replace(self.lists / name)
