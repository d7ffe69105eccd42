#!/bin/sh
# Renders the policy of the two OKE clusters over the manifests they have, with the module from a registry: render.sh [FOLDER]
set -eu
cd "$(dirname "$0")"
example=$(cd ../../../examples/oke-bookinfo && pwd)
exec "${MERIDIAN:-meridian}" render istio "$example/policy.yaml" --from "$example/manifests" --outbound bookinfo \
    --oci "${MERIDIAN_IMAGE:-registry.example.com/meridian:0.1.0}" --out "${1:-rendered}"
