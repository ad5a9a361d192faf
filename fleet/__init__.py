"""Appliances steered from one place: the side of a portal, and that of devices that link to it."""
