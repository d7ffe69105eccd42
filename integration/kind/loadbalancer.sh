#!/usr/bin/env bash
# MetalLB in both clusters, each with addresses of its own out of the network that the nodes share, so that either cluster reaches
# the gateways of the other as it would over a wide area.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The first two octets of the nodes' network, e.g. 172.18 of 172.18.0.0/16.
used="$(engine)"
subnet="$("$used" network inspect kind --format '{{range .IPAM.Config}}{{.Subnet}} {{end}}' 2>/dev/null | tr ' ' '\n' | grep -m 1 '\.' || true)"
[[ -n "$subnet" ]] || subnet="$("$used" network inspect kind --format '{{range .Subnets}}{{.Subnet}} {{end}}' 2>/dev/null | tr ' ' '\n' | grep -m 1 '\.' || true)"
[[ "$subnet" =~ ^([0-9]+\.[0-9]+)\..*/(8|9|1[0-6])$ ]] ||
    fail "The nodes' network is ${subnet:-unknown}, which has no room for the gateways' addresses: give the network 'kind' a /16 and run this again."
prefix="${BASH_REMATCH[1]}"

pool() {
    cat <<YAML
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: gateways, namespace: metallb-system}
spec: {addresses: [$prefix.255.$((50 * $(number_of "$1")))-$prefix.255.$((50 * $(number_of "$1") + 20))]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: gateways, namespace: metallb-system}
spec: {ipAddressPools: [gateways]}
YAML
}

give() { pool "$1" | apply "$1" 2>>"$STATE/loadbalancer.log"; }

balance() {
    if ! there "$1" deployment -n metallb-system controller; then
        say "cluster $1: installing MetalLB $METALLB_VERSION"
        k "$1" apply --server-side --field-manager=meridian-kind -f "$METALLB_MANIFEST" >/dev/null
    fi
    k "$1" rollout status -n metallb-system deployment/controller --timeout="${PATIENCE}s" >/dev/null
    k "$1" rollout status -n metallb-system daemonset/speaker --timeout="${PATIENCE}s" >/dev/null
    there "$1" ipaddresspool -n metallb-system gateways && return
    # Its webhook answers a little later than its deployment says.
    until_true "MetalLB in $1 takes its addresses" give "$1"
}

in_both balance
