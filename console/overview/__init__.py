"""What the start page says: what is protected, what is in trouble, what was dropped, what next."""

from __future__ import annotations
