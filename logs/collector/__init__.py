"""The reference collector: takes batches as docs/log-upload.md has them, and keeps them as files.

`python -m logs.collector --folder FOLDER` runs it; under a gunicorn of one's own it is
`logs.collector:application("FOLDER")`.
"""

from __future__ import annotations

from logs.collector.wsgi import application

__all__ = ["application"]
