"""A data folder of the tests' own, before Django reads its settings.

A plugin (`-p tests.environment` in pyproject.toml): pytest-django sets Django up before it loads
any conftest, and by then a test would have read, or made, the secrets of the checkout's own data
folder.
"""

from __future__ import annotations

import os
import tempfile

for _name in [name for name in os.environ if name.startswith("TSCM_")]:
    del os.environ[_name]
_DATA = tempfile.TemporaryDirectory(prefix="tscm-tests-")
os.environ["TSCM_DATA_DIR"] = _DATA.name
# Nobody listens there: a test that wants a queue starts one.
os.environ["TSCM_BROKER_URL"] = "redis://127.0.0.1:1/0"
