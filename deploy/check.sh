#!/usr/bin/env bash
# Everything that can be told without running a test. Runs all steps; names the ones that failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly bin=.venv/bin
failed=()
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Settings want a data folder; the checks must neither see nor touch a real one.
export TSCM_DATA_DIR=$scratch/var

# step NAME COMMAND…: run it and remember when it fails.
step() {
  local name=$1
  shift
  printf 'check: %s\n' "$name"
  "$@" || failed+=("$name")
}

api_schema() {
  local said=$scratch/openapi.yaml
  "$bin/python" manage.py spectacular --validate --fail-on-warn --file "$said" || return 1
  diff -u docs/api/openapi.yaml "$said" && return
  echo "docs/api/openapi.yaml is behind the code: manage.py spectacular --file docs/api/openapi.yaml"
  return 1
}

shell_scripts() {
  if ! command -v shellcheck >/dev/null; then
    echo "skipped: shellcheck is not installed (apt-get install shellcheck)"
    return
  fi
  shellcheck deploy/*.sh deploy/tsadmin deploy/cloud/*.sh deploy/cloud/first-boot .ci/run
}

step format "$bin/ruff" format --check --quiet .
step lint "$bin/ruff" check --quiet .
step types "$bin/mypy"
step layers "$bin/lint-imports"
step django "$bin/python" manage.py check --fail-level WARNING
step migrations "$bin/python" manage.py makemigrations --check --dry-run
step "API schema" api_schema
step spelling "$bin/typos"
step shell shell_scripts
step Dockerfile "$bin/hadolint" Dockerfile
step compose "$bin/check-jsonschema" --builtin-schema vendor.compose-spec docker-compose.yml

if [ ${#failed[@]} -gt 0 ]; then
  printf 'check: FAILED: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "check: all is well"
