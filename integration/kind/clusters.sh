#!/usr/bin/env bash
# Makes the two clusters, with the region on every node before anything runs there: a pod takes its locality from its node, once.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

configuration() {
    local number region
    number="$(number_of "$1")" region="$(region_of "$1")"
    cat <<YAML
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking: {podSubnet: 10.$((10 * number)).0.0/16, serviceSubnet: 10.$((10 * number + 100)).0.0/16}
nodes:
- role: control-plane
  image: $KIND_NODE_IMAGE
  labels: {topology.kubernetes.io/region: $region, topology.kubernetes.io/zone: $region-a}
YAML
}

make_cluster() {
    local cluster="$1" name
    name="$(name_of "$cluster")"
    if kind get clusters 2>/dev/null | grep -qx "$name"; then
        say "cluster $cluster: there"
    else
        say "cluster $cluster: making it, in $(region_of "$cluster")"
        configuration "$cluster" >"$STATE/$name.yaml"
        kind create cluster --name "$name" --config "$STATE/$name.yaml" --wait 180s >"$STATE/$name.log" 2>&1 ||
            fail "The cluster $name could not be made (see target/kind/$name.log): 'make kind-down', and run this again."
    fi
    # Also where the cluster was there: a node that was replaced has lost them.
    k "$cluster" label nodes --all --overwrite "topology.kubernetes.io/region=$(region_of "$cluster")" \
        "topology.kubernetes.io/zone=$(region_of "$cluster")-a" >/dev/null
    # The one node of a cluster is its control plane, and has to take the load balancer's traffic all the same.
    k "$cluster" label nodes --all node.kubernetes.io/exclude-from-external-load-balancers- >/dev/null
}

mkdir -p "$STATE"
in_both make_cluster
