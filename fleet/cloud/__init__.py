"""A machine that registers itself with a portal: which cloud it is in, its name, its request."""

from __future__ import annotations
