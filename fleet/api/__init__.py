"""The API of a fleet."""
