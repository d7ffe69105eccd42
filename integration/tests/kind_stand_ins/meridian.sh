#!/bin/sh
# The command, with manifests that are as few as show an order: what it renders is proven where it is rendered, and how it installs is
# the real one's.
if [ "$1" != render ]; then exec cargo run --quiet --locked -p meridian --bin meridian -- "$@"; fi
for cluster in primary secondary; do
    folder="$STAND_IN/state/manifests/$cluster"
    mkdir -p "$folder"
    cat >"$folder/all.yaml" <<YAML
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: meridian, namespace: istio-system}
spec:
  workloadSelector: {labels: {istio: ingressgateway}}
  module: {'@type': type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, filename: /etc/meridian/meridian-0a1b.wasm}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bookinfo, namespace: bookinfo}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: productpage, namespace: bookinfo}
spec:
  host: productpage.bookinfo.svc.cluster.local
  subsets: [{name: prefer-sanjose}, {name: prefer-chicago}]
YAML
done
