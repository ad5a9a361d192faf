"""Appliances steered from one place: the side of a portal, and that of a device that links to it."""
