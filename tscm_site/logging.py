"""Log lines that name the task they belong to: one search gives one run's story."""

from __future__ import annotations

import logging

from celery._state import get_current_task


class TaskFormatter(logging.Formatter):
    """Adds ` [first eight characters of the task id]` inside a task, nothing elsewhere."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        request = getattr(get_current_task(), "request", None)
        task_id = request.id if request else None
        record.task = f" [{task_id[:8]}]" if task_id else ""
        return super().format(record)
