#!/usr/bin/env bash
# Puts a real Prometheus and its promtool into target/prometheus/ and prints that folder. It exists because only Prometheus can say what
# an alert rule does, and nothing is installed on the machine for it: the Debian package is unpacked, and no service starts.
#
# Exits with 2 where it cannot be had: then the alerts are not asked for.
set -euo pipefail
# shellcheck source=integration/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

folder="$TARGET_DIR/prometheus"
programs=(prometheus promtool)

missing() {
    printf 'Prometheus cannot be had here: install prometheus and promtool and run this again.\n' >&2
    exit 2
}

# Unpacks the package's programs into a folder.
unpack() {
    have apt-get dpkg-deb || return 1
    apt_update || true
    say "downloading Prometheus (once)"
    (cd "$1" && apt-get download prometheus >"$folder/install.log" 2>&1 && dpkg-deb -x prometheus_*.deb unpacked) || return 1
    cp "${programs[@]/#/$1/unpacked/usr/bin/}" "$1"
}

# Whole or not at all: the last step is a rename, and promtool is the last of them.
put() { for program in "${programs[@]}"; do mv "$1/$program" "$folder/$program"; done; }

mkdir -p "$folder"
# Tests run side by side, and one download is enough.
exec 9>"$folder/.lock"
flock 9
if [[ ! -x "$folder/promtool" ]]; then
    scratch="$(mktemp -d "$folder/.download.XXXXXX")"
    trap 'rm -rf "$scratch"' EXIT
    if have "${programs[@]}"; then
        for program in "${programs[@]}"; do ln -s "$(command -v "$program")" "$scratch/$program"; done
    else
        unpack "$scratch" || missing
    fi
    "$scratch/prometheus" --version >"$folder/install.log" 2>&1 || missing
    put "$scratch"
fi
printf '%s\n' "$folder"
