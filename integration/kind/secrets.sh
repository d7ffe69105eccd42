#!/usr/bin/env bash
# Lets each istiod read the other cluster. The address in kind's own configuration is this machine's; what a pod can reach is the
# address of the node's container, which changes when the engine restarts: so it is compared, and a stale one replaced.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
used="$(engine)"

node_address() { "$used" inspect --format '{{.NetworkSettings.Networks.kind.IPAddress}}' "$(node_of "$1")"; }

# introduce CLUSTER: the other one gets to know it.
introduce() {
    local reader server known
    reader="$(other_than "$1")"
    server="https://$(node_address "$1"):6443"
    known="$(k "$reader" get secret -n istio-system "istio-remote-secret-$1" -o 'jsonpath={.metadata.annotations.meridian-server}' 2>/dev/null || true)"
    [[ "$known" == "$server" ]] && return
    say "cluster $reader: telling istiod how to read $1"
    istioctl create-remote-secret --context "$(context_of "$1")" --name "$1" --server "$server" | apply "$reader"
    k "$reader" annotate secret -n istio-system "istio-remote-secret-$1" --overwrite "meridian-server=$server" >/dev/null
}

# One after the other: each creates an account in one cluster and a secret in the other.
for cluster in "${CLUSTERS[@]}"; do introduce "$cluster"; done
