"""Tests of enforcing, by room."""
