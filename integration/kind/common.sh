#!/usr/bin/env bash
# What the kind scripts share: which clusters there are, and how to act only where something is missing. Sourced, not run.
set -euo pipefail
kind_folder="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
# shellcheck source=integration/setup/common.sh
source "$kind_folder/../setup/common.sh"
# shellcheck source=integration/kind/versions.sh
source "$kind_folder/versions.sh"

# shellcheck disable=SC2034 # used by those who source this
CLUSTERS=(primary secondary)
# shellcheck disable=SC2034
MODULE_CONFIG_MAP=meridian-module MODULE_FOLDER=/etc/meridian # where every proxy looks for the filter
# A folder for what is generated: certificates, rendered manifests, configurations, logs.
# shellcheck disable=SC2034
STATE="${MERIDIAN_KIND_STATE:-$TARGET_DIR/kind}"
PATIENCE="${MERIDIAN_KIND_PATIENCE:-300}" # seconds, for each thing that is waited for

# What tells the two apart. Pods and services of the two must not share an address.
region_of() { if [[ "$1" == primary ]]; then echo us-sanjose-1; else echo us-chicago-1; fi; }
network_of() { echo "network-$1"; }
number_of() { if [[ "$1" == primary ]]; then echo 1; else echo 2; fi; }
other_than() { if [[ "$1" == primary ]]; then echo secondary; else echo primary; fi; }
name_of() { echo "meridian-$1"; }    # of the kind cluster
context_of() { echo "kind-meridian-$1"; }
node_of() { echo "meridian-$1-control-plane"; } # the container

# kubectl in a cluster; there is no other way here to call it, so it is never without its context.
k() {
    local cluster="$1"
    shift
    kubectl --context "$(context_of "$cluster")" "$@"
}

# True when a resource is there.
there() { k "$1" get "${@:2}" >/dev/null 2>&1; }

apply() { k "$1" apply --server-side --field-manager=meridian-kind --force-conflicts -f - >/dev/null; }

# The container engine.
engine() {
    if [[ -n "${MERIDIAN_ENGINE:-}" ]]; then
        echo "$MERIDIAN_ENGINE"
    elif have docker && docker info >/dev/null 2>&1; then
        echo docker
    elif have podman && podman info >/dev/null 2>&1; then
        echo podman
    fi
}

# Looks every second until a command succeeds: until_true WHAT COMMAND...
until_true() {
    local what="$1" deadline=$((SECONDS + PATIENCE))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || fail "$what: not so after $PATIENCE s; look at it, and run this again: it goes on from here."
        sleep "${MERIDIAN_KIND_LOOK:-1}"
    done
}

# Waits until no pod has a label: gone CLUSTER NAMESPACE LABEL
none() { # A cluster that does not answer has not said that there is none.
    local pods
    pods="$(k "$1" get pods -n "$2" -l "$3" -o name 2>/dev/null)" && [[ -z "$pods" ]]
}
gone() { until_true "no pod $3 in $1" none "$@"; }

# The address that MetalLB gave to a service of istio-system, if it has one.
address_of() { k "$1" get service -n istio-system "$2" -o 'jsonpath={.status.loadBalancer.ingress[0].ip}' 2>/dev/null; }

# Does the same for both clusters at once, and fails if either does: in_both FUNCTION
in_both() {
    local cluster pids=() status=0
    for cluster in "${CLUSTERS[@]}"; do
        "$1" "$cluster" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || status=1; done
    return "$status"
}
