"""Closed batches on their way out: uploaded to the log service, forwarded to others."""
