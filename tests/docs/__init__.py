"""Tests of docs: what a page shows is what is printed."""
