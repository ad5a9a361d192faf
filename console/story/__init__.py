"""The pages of a device, a policy, a source and a snapshot: each tells its story in one screen.

The apps below say what they know in panels; here stands what needs more than one of them, and the
order of it all. What takes a while is a part: an answer of its own that the page fetches.
"""

from __future__ import annotations
