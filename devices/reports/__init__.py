"""Answers to questions about devices: reads only."""
