"""Log lines that name the task they belong to: one search gives one run's story."""

from __future__ import annotations

import logging

from celery import current_task


class TaskFormatter(logging.Formatter):
    """Adds ` [first eight characters of the task id]` inside a task, nothing elsewhere."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        task_id = current_task.request.id if current_task else None
        record.task = f" [{task_id[:8]}]" if task_id else ""
        return super().format(record)
