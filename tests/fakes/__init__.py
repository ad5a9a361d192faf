"""Neighbours that tests start for themselves, one module each."""
