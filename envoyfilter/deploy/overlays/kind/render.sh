#!/bin/sh
# Renders the policy of the two kind clusters, with the module in a ConfigMap: render.sh [FOLDER]
set -eu
cd "$(dirname "$0")"
repository=$(cd ../../../.. && pwd)
exec "${MERIDIAN:-meridian}" render istio "$repository/integration/kind/policy.yaml" --gateway istio-system/ingress \
    --module "${MERIDIAN_MODULE:-$repository/target/meridian.wasm}" --out "${1:-rendered}"
