"""A policy's lists as zones: one module a form."""
