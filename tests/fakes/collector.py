"""The product's own collector as a process, over TLS or on plain loopback."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import trustme

from tests.fakes.foreground import Foreground


class Collector(Foreground):
    """`python -m logs.collector`; `store` is where it keeps batches."""

    def __init__(
        self,
        store: Path,
        *,
        certificate: trustme.LeafCert | None = None,
        workers: int = 2,
        timeout: int = 60,
    ) -> None:
        self._store = store
        self._certificate = certificate
        self._workers = workers
        self._timeout = timeout
        super().__init__()

    def url(self, *, host: str = "127.0.0.1") -> str:
        """Return where batches are taken."""
        return f"http{'s' if self._certificate else ''}://{host}:{self.port}/upload"

    def command(self) -> list[str]:
        """Write certificate and key, and return what starts it."""
        command = [
            *(sys.executable, "-m", "logs.collector", "--folder", str(self._store)),
            *("--bind", f"127.0.0.1:{self.port}", "--workers", str(self._workers)),
            *("--timeout", str(self._timeout)),
        ]
        if self._certificate is not None:
            chain, key = self.folder / "chain.pem", self.folder / "key.pem"
            chain.write_bytes(b"".join(pem.bytes() for pem in self._certificate.cert_chain_pems))
            self._certificate.private_key_pem.write_to_path(str(key))
            command += ["--certificate", str(chain), "--key", str(key)]
        return command

    def kill_workers(self) -> None:
        """End the processes that take batches by SIGKILL; new ones are started in their place."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for number in children.read_text().split():
            os.kill(int(number), signal.SIGKILL)
