#!/usr/bin/env bash
# What every setup script shares: where the project is, how to speak, and how to install a Debian package. Sourced, not run.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)"
TARGET_DIR="$ROOT/target" # everything these scripts make is in here, so `make clean` forgets all of it

# Progress goes to stderr: a script's stdout is its answer.
say() { printf -- '-- %s\n' "$*" >&2; }

# One plain sentence: what failed, and what to do.
fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

as_root() {
    if [[ $EUID -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

# True when every one of these commands is there.
have() {
    local command
    for command in "$@"; do command -v "$command" >/dev/null || return 1; done
}

# True when every one of these Debian packages is there.
installed() {
    local package
    for package in "$@"; do [[ "$(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null)" == installed ]] || return 1; done
}

# Refreshes the package lists: once in a run, and at most once an hour.
apt_update() {
    [[ -z "${apt_tried:-}" && -z "$(find "$TARGET_DIR/.apt-updated" -mmin -60 2>/dev/null)" ]] || return 0
    apt_tried=yes
    say "refreshing the list of Debian packages"
    mkdir -p "$TARGET_DIR"
    as_root apt-get update -qq >"$TARGET_DIR/apt.log" 2>&1 && touch "$TARGET_DIR/.apt-updated"
}

# Installs the named Debian packages that are missing; false when that is not possible here. Never removes another package.
apt_install() {
    have apt-get dpkg-query || return 1
    installed "$@" && return 0
    apt_update || true
    say "installing $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove "$@" \
        >>"$TARGET_DIR/apt.log" 2>&1
}
