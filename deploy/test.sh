#!/usr/bin/env bash
# Every test there is: checks, then the parallel ones, then kernel and browser where the machine
# allows. Names what is skipped, and ends with a failure if any part failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly python=.venv/bin/python
failed=()
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TSCM_DATA_DIR=$scratch/var PATH=$PATH:/usr/sbin:/sbin

# part NAME COMMAND…: run it and remember when it fails. No tests found is a failure too.
part() {
  local name=$1
  shift
  printf '\ntest: %s\n' "$name"
  "$@" || failed+=("$name")
}

has_tests() { grep -rqs --include='*.py' "mark\.$1\b" tests; }

kernel_tests() {
  if ! has_tests kernel; then
    echo "test: no kernel tests yet"
  elif [ "$(id -u)" != 0 ]; then
    echo "test: SKIPPED kernel: needs root, for a network namespace of its own"
  elif ! unshare --net true 2>/dev/null; then
    echo "test: SKIPPED kernel: this machine allows no network namespace"
  else
    part kernel unshare --net "$python" -m pytest -n 2 --dist loadgroup -p tests.namespaces -m kernel
  fi
}

browser_tests() {
  if has_tests browser; then
    part browser "$python" -m pytest -m browser
  else
    echo "test: no browser tests yet"
  fi
}

part checks deploy/check.sh
part "everything that runs in parallel" "$python" -m pytest -n 2 -m "not kernel and not browser"
kernel_tests
browser_tests

if [ ${#failed[@]} -gt 0 ]; then
  printf 'test: FAILED: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "test: all passed"
