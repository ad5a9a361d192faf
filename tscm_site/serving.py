"""What the two web servers log: in the format of all others, and of the console each request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from policies.runs import RUN_KEY, Run, in_run
from tscm_site.env import read_environment
from tscm_site.logging import formatter_of

# Asked every few seconds; worth a line only when something is wrong.
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_LONGEST_PATH = 500


class GunicornLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log, written as the other processes write theirs."""

    def setup(self, cfg: Any) -> None:
        """Take up gunicorn's settings."""
        super().setup(cfg)
        formatter = formatter_of(read_environment())
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(formatter)

    def access(
        self, resp: Any, _req: Any, environ: Mapping[str, Any], request_time: timedelta
    ) -> None:
        """Log one request; never what stands behind the question mark, which may be secret."""
        if not self.access_log_enabled:
            return
        status = int(str(resp.status).split(None, 1)[0])
        path = str(environ.get("PATH_INFO", ""))[:_LONGEST_PATH]
        if path in _PROBES and status < 400:
            return
        told = {
            "method": str(environ.get("REQUEST_METHOD", "")),
            "path": path,
            "status": status,
            "bytes": getattr(resp, "sent", None) or 0,
            "seconds": round(request_time.total_seconds(), 3),
            "client": str(environ.get("REMOTE_ADDR", "")),
        }
        run = str(environ.get(RUN_KEY, ""))
        with in_run(Run(run)):
            self.access_log.info(
                "%s %s %d %dB %.3fs %s",
                told["method"], ascii(path)[1:-1], status, told["bytes"], told["seconds"],
                told["client"], extra=told,
            )  # fmt: skip
