#!/usr/bin/env bash
# Bookinfo and helloworld. Every service is in both clusters, because a name that a cluster does not know cannot be asked for there;
# of reviews, v1 and v2 are in the primary and v3 in the secondary, so that red stars are a call that has crossed.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

namespace() {
    cat <<YAML
apiVersion: v1
kind: Namespace
metadata: {name: $1, labels: {istio-injection: enabled}}
---
YAML
}

service() { # NAMESPACE NAME PORT
    cat <<YAML
apiVersion: v1
kind: Service
metadata: {name: $2, namespace: $1, labels: {app: $2, service: $2}}
spec: {selector: {app: $2}, ports: [{name: http, port: $3}]}
---
YAML
}

deployment() { # CLUSTER NAMESPACE NAME VERSION PORT IMAGE
    local fence=""
    # What a fence of several regions is made of: a label on the pods behind it.
    if [[ "$1" == secondary ]]; then fence=', fence.meridian/chicago-only: "true"'; fi
    cat <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: $3-$4, namespace: $2, labels: {app: $3, version: $4}}
spec:
  selector: {matchLabels: {app: $3, version: $4}}
  template:
    metadata:
      labels: {app: $3, version: $4$fence}
    spec:
      containers:
      - name: $3
        image: $6
        env: [{name: CLUSTER_NAME, value: $1}, {name: LOG_DIR, value: /tmp/logs}, {name: SERVICE_VERSION, value: $4}]
        ports: [{containerPort: $5}]
        volumeMounts: [{name: tmp, mountPath: /tmp}, {name: wlp, mountPath: /opt/ibm/wlp/output}]
      volumes: [{name: tmp, emptyDir: {}}, {name: wlp, emptyDir: {}}]
---
YAML
}

manifests() {
    local cluster="$1" name reviews=(v1 v2) hello=v1
    if [[ "$cluster" == secondary ]]; then reviews=(v3) hello=v2; fi
    namespace bookinfo
    for name in productpage details ratings reviews; do service bookinfo "$name" 9080; done
    for name in productpage details ratings; do
        deployment "$cluster" bookinfo "$name" v1 9080 "$BOOKINFO_IMAGE-$name-v1:$BOOKINFO_TAG"
    done
    for name in "${reviews[@]}"; do
        deployment "$cluster" bookinfo reviews "$name" 9080 "$BOOKINFO_IMAGE-reviews-$name:$BOOKINFO_TAG"
    done
    namespace sample
    service sample helloworld 5000
    deployment "$cluster" sample helloworld "$hello" 5000 "$HELLOWORLD_IMAGE-$hello:$HELLOWORLD_TAG"
}

deploy() {
    say "cluster $1: bookinfo and helloworld"
    manifests "$1" | apply "$1"
    for namespace in bookinfo sample; do
        k "$1" wait deployment --all -n "$namespace" --for=condition=Available --timeout="${PATIENCE}s" >/dev/null
    done
}

in_both deploy
