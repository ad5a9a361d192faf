"""The operator's command line, on the same services as console and API."""
