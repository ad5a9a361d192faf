"""The REST API of devices and their pulls."""
