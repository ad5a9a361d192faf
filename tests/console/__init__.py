"""Tests of the admin pages and the start page."""
