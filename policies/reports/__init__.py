"""Answers to questions about policies: reads only."""
