"""Snapshot to kernel and back. Knows neither Django nor Celery: a boot restores with this alone."""
