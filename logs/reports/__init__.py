"""Reads of logs: what adds up to what."""
