#!/usr/bin/env bash
# Builds Kubernetes' own API server, with kubectl inside, to target/apiserver/, and puts Istio's resource definitions beside it. It exists
# because only the API server can say what it accepts, what it refuses to whom, and whose a field is.
#
# Exits with 2 where Go is missing or too old: then the tests on it are skipped. `apiserver.sh optional` says so and exits with 0.
set -euo pipefail
# shellcheck source=integration/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

module="$ROOT/integration/apiserver"
programs="$TARGET_DIR/apiserver"

missing() {
    printf '%s\n' "$*" >&2
    [[ "${optional:-}" ]] || exit 2
    say "without Go: what an API server would say of an installation is not tried"
    exit 0
}

# One digest for all that is made here.
digest() {
    find . \( -name '*.go' -o -name go.mod -o -name go.sum \) ! -name '*_test.go' -print0 | sort -z | xargs -0 sha256sum |
        sha256sum | cut -d ' ' -f 1
    awk '$1 == "istio.io/istio" { print $2 }' "$ROOT/integration/istio/go.mod"
    go env GOVERSION
}

fetch() {
    (cd "$ROOT/integration/istio" && go mod download istio.io/istio) && go mod download
}

[[ "${1:-}" != optional ]] || optional=yes
have go || missing "Kubernetes is built with Go, which is not installed: install Go and run this again."
needed="$(awk '$1 == "go" { print $2 }' "$module/go.mod")"
cd "$module"
# A newer Go than the one that is here is fetched by Go itself, where it may.
go version >/dev/null 2>&1 ||
    missing "Kubernetes needs Go $needed and this is older and may not fetch it: install Go $needed or newer and run this again."

mkdir -p "$programs"
# Tests run side by side, and one build is enough.
exec 9>"$programs/.lock"
flock 9
stamp="$programs/.built-from"
wanted="$(digest)"
if [[ -x "$programs/apiserver" && -s "$programs/crds.yaml" && "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]]; then exit 0; fi

log="$programs/build.log"
# Nothing may be downloaded but what go.sum knows, and nothing about the machine may get into go.mod.
export GOFLAGS="-mod=readonly -trimpath -buildvcs=false"
say "fetching Kubernetes' modules"
rm -f "$stamp"
fetch >"$log" 2>&1 ||
    fail "Kubernetes' modules could not be downloaded (see target/apiserver/build.log): check the network and Go's proxy" \
        "settings, and run this again."
definitions="$(cd "$ROOT/integration/istio" && go list -m -f '{{.Dir}}' istio.io/istio)/manifests/charts/base/files/crd-all.gen.yaml"
cp --no-preserve=mode "$definitions" "$programs/crds.yaml"
say "building Kubernetes' API server (about four minutes the first time)"
version="$(awk '$1 == "k8s.io/kubernetes" { print $2 }' go.mod)"
# Two packages at a time: the linker alone takes a gigabyte. Without symbols the program is a third smaller.
nice -n 10 go build -p "${MERIDIAN_GO_JOBS:-2}" -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" \
    -o "$programs/" ./cmd/... >"$log" 2>&1 ||
    fail "Kubernetes' API server could not be built (see target/apiserver/build.log): the compiler says why there."
ln -sf apiserver "$programs/kubectl"
nice -n 10 go vet ./... >>"$log" 2>&1 || fail "Go's own checks find fault (see target/apiserver/build.log)."
printf '%s\n' "$wanted" >"$stamp"
say "built target/apiserver/apiserver and kubectl"
