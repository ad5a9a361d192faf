"""The console's lists of a fleet."""
