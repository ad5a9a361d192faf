"""Tests that a person could do by hand: a real browser on a real server."""
