"""Run the collector, or tell what it has: `python -m logs.collector --folder FOLDER`."""

from __future__ import annotations

import argparse
import sys
from ipaddress import ip_address
from pathlib import Path

from gunicorn.app.base import BaseApplication

from logs.collector.store import Sequence, Store
from logs.collector.wsgi import Application, application

_WORKERS = 4
_TIMEOUT = 600  # seconds that one batch may take, however slowly it trickles in


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with these settings and no configuration of its own."""

    def __init__(self, collector: Application, settings: dict[str, object]) -> None:
        self._collector = collector
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Take the settings."""
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        """Return what answers."""
        return self._collector


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop, or list; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m logs.collector", description=__doc__)
    parser.add_argument("--folder", required=True, type=Path, help="where batches are kept")
    parser.add_argument("--list", action="store_true", help="print what there is, and what misses")
    parser.add_argument("--bind", default="127.0.0.1:8444", help="address:port (%(default)s)")
    parser.add_argument("--certificate", type=Path, help="PEM, with the chain; needed off loopback")
    parser.add_argument("--key", type=Path, help="PEM, without a password")
    parser.add_argument("--workers", type=int, default=_WORKERS, help="batches at once")
    parser.add_argument(
        "--timeout", type=int, default=_TIMEOUT, help="seconds for one batch (%(default)s)"
    )
    asked = parser.parse_args(arguments)
    if asked.list:
        for sequence in Store(asked.folder).sequences():
            sys.stdout.write(f"{_told(sequence)}\n")
        return 0
    if (asked.certificate is None) != (asked.key is None):
        parser.error("--certificate and --key go together")
    if asked.certificate is None and not _is_loopback(asked.bind):
        parser.error(f"--bind {asked.bind}: off loopback it needs --certificate and --key")
    Server(application(asked.folder), _settings(asked)).run()
    return 0


def _settings(asked: argparse.Namespace) -> dict[str, object]:
    settings: dict[str, object] = {
        "bind": asked.bind,
        # One batch at a time in each: a sender that stalls is ended with its worker.
        "worker_class": "sync",
        "workers": asked.workers,
        "timeout": asked.timeout,
        "preload_app": True,
        "accesslog": "-",
        "proc_name": "tscm-collector",
        "limit_request_line": 1024,
        "limit_request_fields": 50,
        "limit_request_field_size": 4096,
        # Else it opens one in the home folder.
        "control_socket_disable": True,
    }
    if asked.certificate is not None:
        settings |= {"certfile": str(asked.certificate), "keyfile": str(asked.key)}
    return settings


def _is_loopback(bind: str) -> bool:
    try:
        return ip_address(bind.rpartition(":")[0].strip("[]")).is_loopback
    except ValueError:
        return False


def _told(sequence: Sequence) -> str:
    if not sequence.numbers:
        return f"{sequence.device_id}: no batch"
    return (
        f"{sequence.device_id}: {len(sequence.numbers):,} batches, the last is "
        f"{sequence.numbers[-1]}, missing: {sequence.missing or 'none'}"
    )


if __name__ == "__main__":
    sys.exit(main())
