#!/bin/sh
# Do again what a gateway does at its first boot in a cloud; it may be run at any time, as root.
here=$(readlink -f "$0")
if [ "$(id -u)" != 0 ]; then
  echo "retry_tsadmin_add.sh: run this as root (sudo retry_tsadmin_add.sh)" >&2
  exit 1
fi
exec "${here%/*}/first-boot" "$@"
