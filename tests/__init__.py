"""Tests: they talk to real neighbours and stub the last wire only."""
