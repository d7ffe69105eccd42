#!/usr/bin/env bash
# Builds Istio's own control plane and analyzers, as small programs, to target/istio/. It exists because only Istio's code can say what
# a cluster will make of our manifests, and no container and no cluster is needed to ask it.
#
# Exits with 2 where Go is missing or too old: then there are recordings of what these programs said.
set -euo pipefail
# shellcheck source=integration/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

module="$ROOT/integration/istio"
programs="$TARGET_DIR/istio"

missing() {
    printf '%s\n' "$*" >&2
    exit 2
}

# One digest for all that the programs are made from.
digest() {
    (cd "$module" && find . \( -name '*.go' -o -name go.mod -o -name go.sum \) ! -name '*_test.go' -print0 | sort -z |
        xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
    go env GOVERSION
}

have go || missing "Istio is built with Go, which is not installed: install Go and run this again."
needed="$(awk '$1 == "go" { print $2 }' "$module/go.mod")"
# A newer Go than the one that is here is fetched by Go itself, where it may.
(cd "$module" && go version >/dev/null 2>&1) ||
    missing "Istio needs Go $needed and this is older and may not fetch it: install Go $needed or newer and run this again."

mkdir -p "$programs"
# Tests run side by side, and one build is enough.
exec 9>"$programs/.lock"
flock 9
stamp="$programs/.built-from"
wanted="$(cd "$module" && digest)"
if [[ -x "$programs/istiod" && "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]]; then exit 0; fi

log="$programs/build.log"
# Nothing may be downloaded but what go.sum knows, and nothing about the machine may get into go.mod.
export GOFLAGS="-mod=readonly -trimpath -buildvcs=false"
cd "$module"
say "fetching Istio's modules (190 MB the first time)"
go mod download >"$log" 2>&1 ||
    fail "Istio's modules could not be downloaded (see target/istio/build.log): check the network and Go's proxy settings," \
        "and run this again."
say "building Istio's programs (about six minutes the first time, and 2.5 GB of memory)"
rm -f "$stamp"
# One package at a time: the linker alone takes a gigabyte. Without symbols the programs are a third smaller.
nice -n 10 go build -p "${MERIDIAN_GO_JOBS:-1}" -ldflags '-s -w' -o "$programs/" ./cmd/... >"$log" 2>&1 ||
    fail "Istio's programs could not be built (see target/istio/build.log): the compiler says why there."
printf '%s\n' "$wanted" >"$stamp"
say "built target/istio/istiod, analyze and record"
