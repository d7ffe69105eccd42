#!/usr/bin/env bash
# Checks both clusters against the list of assertions: `make kind-verify`. It asks as users do, through the ingress gateways, and
# hurts the mesh through the drills, which mend it again.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

targets=()
for cluster in "${CLUSTERS[@]}"; do
    address="$(address_of "$cluster" istio-ingressgateway || true)"
    [[ -n "$address" ]] || fail "The ingress gateway of $cluster has no address: run 'make kind-up' and run this again."
    targets+=(--cluster "$cluster=$(context_of "$cluster")=$address:80")
done
cargo run --quiet --locked -p meridian-integration --bin verify -- kind "${targets[@]}" "$@"
