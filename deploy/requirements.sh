#!/usr/bin/env bash
# Pin requirements*.in anew, for every Python from 3.11, with hashes. For maintainers; needs uv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v uv >/dev/null || { echo "uv is missing: https://docs.astral.sh/uv/" >&2; exit 1; }
for file in requirements requirements-dev requirements-redis requirements-gateway requirements-sso; do
  uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
    --custom-compile-command "make requirements" "$file.in" --output-file "$file.txt"
done
