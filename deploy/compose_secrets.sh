#!/usr/bin/env bash
# Make the passwords and keys that docker-compose.yml reads, in ./secrets. What is there stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The folder is for its owner only. The files in it are readable by all, because compose shows them
# to each container with the host's mode, and the containers' users are not the host's.
mkdir -p -m 0700 secrets
umask 022

random() { python3 -c "import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes($1)).decode())"; }

# keep NAME TEXT: write it, unless there is one; a half-written one never counts.
keep() {
  [ -e "secrets/$1" ] && return
  printf '%s\n' "$2" >"secrets/$1.part"
  mv "secrets/$1.part" "secrets/$1"
}

keep db_password "$(random 24)"
keep database_url "postgresql://tscm:$(cat secrets/db_password)@db:5432/tscm"
keep secret_key "$(random 48)"
keep field_keys "$(random 32)"
