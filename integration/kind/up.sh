#!/usr/bin/env bash
# Brings up two clusters with one mesh, an application and Meridian: `make kind-up`. Each step looks before it acts, so this can be
# run again after a failure, and a second run only looks.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$kind_folder/preflight.sh"
mkdir -p "$STATE"
"$kind_folder/clusters.sh"
# Side by side: neither needs the other, and istiod needs both.
"$kind_folder/trust.sh" &
trust=$!
"$kind_folder/loadbalancer.sh"
wait "$trust"
"$kind_folder/istio.sh"
"$kind_folder/secrets.sh"
"$kind_folder/apps.sh"
"$kind_folder/meridian.sh" install

say "ready after $SECONDS s; 'make kind-verify' checks it, 'make kind-drill NAME=stop-productpage' hurts it, 'make kind-down' removes it"
for cluster in "${CLUSTERS[@]}"; do
    printf '%-10s curl -si -H "host: bookinfo.example.com" http://%s/productpage\n' "$cluster" "$(address_of "$cluster" istio-ingressgateway)"
done
