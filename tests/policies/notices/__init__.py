"""Tests of the ways to tell of alarms."""
