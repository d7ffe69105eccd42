#!/usr/bin/env bash
# Istio in both clusters: one mesh, two networks, and in each cluster an istiod, an ingress gateway and an east-west gateway.
#
# What Meridian asks of the mesh's configuration is in it before there is a proxy, because proxies read it when they start: labels for the
# filter's metrics, and Envoy's own counts for each plan. The gateways mount the module from a ConfigMap that need not be there yet, so that
# the filter can be put in and taken out without touching a deployment.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# What is rendered for the mesh's configuration is a file to copy from, every line of it a comment: its settings, as deep as they go below.
mesh_config() {
    awk '/^# meshConfig:/ { inside = 1; next } /^#$/ { inside = 0 } inside { sub(/^#/, " "); print }' "$STATE/manifests/$1/mesh-config.yaml"
}

control_plane() {
    cat <<YAML
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  profile: default
  hub: $ISTIO_HUB
  tag: $ISTIO_VERSION
  meshConfig:
    accessLogFile: /dev/stdout
$(mesh_config "$1")
  components:
    ingressGateways:
    - {name: istio-ingressgateway, enabled: true, k8s: {hpaSpec: {minReplicas: 2, maxReplicas: 2}, replicaCount: 2}}
  values:
    global:
      meshID: meridian
      multiCluster: {clusterName: $1}
      network: $(network_of "$1")
    pilot: {resources: {requests: {cpu: 50m, memory: 256Mi}}}
    gateways:
      istio-ingressgateway:
        configVolumes: [{name: $MODULE_CONFIG_MAP, mountPath: $MODULE_FOLDER, configMapName: $MODULE_CONFIG_MAP}]
YAML
}

# As Istio's samples/multicluster writes it.
east_west() {
    cat <<YAML
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: eastwest}
spec:
  profile: empty
  hub: $ISTIO_HUB
  tag: $ISTIO_VERSION
  components:
    ingressGateways:
    - name: istio-eastwestgateway
      label: {istio: eastwestgateway, app: istio-eastwestgateway, topology.istio.io/network: $(network_of "$1")}
      enabled: true
      k8s:
        env: [{name: ISTIO_META_REQUESTED_NETWORK_VIEW, value: $(network_of "$1")}]
        service:
          ports:
          - {name: status-port, port: 15021, targetPort: 15021}
          - {name: tls, port: 15443, targetPort: 15443}
          - {name: tls-istiod, port: 15012, targetPort: 15012}
          - {name: tls-webhook, port: 15017, targetPort: 15017}
  values:
    gateways: {istio-ingressgateway: {injectionTemplate: gateway}}
    global: {meshID: meridian, multiCluster: {clusterName: $1}, network: $(network_of "$1")}
YAML
}

# Only where it is not there already: install CLUSTER DEPLOYMENT CONFIGURATION
install() {
    there "$1" deployment -n istio-system "$2" && return
    say "cluster $1: installing $2"
    "$3" "$1" >"$STATE/$1-$2.yaml"
    istioctl install --context "$(context_of "$1")" --skip-confirmation --readiness-timeout "${PATIENCE}s" \
        -f "$STATE/$1-$2.yaml" >"$STATE/$1-$2.log" 2>&1 ||
        fail "$2 could not be installed in $1 (see target/kind/$1-$2.log): correct that and run this again."
}

has_address() { [[ -n "$(address_of "$1" "$2")" ]]; }

mesh() {
    # The ingress gateway is the last thing that this configuration brings up: where it is, all of it is.
    install "$1" istio-ingressgateway control_plane
    install "$1" istio-eastwestgateway east_west
    for gateway in istio-ingressgateway istio-eastwestgateway; do
        k "$1" rollout status -n istio-system "deployment/$gateway" --timeout="${PATIENCE}s" >/dev/null
        # Without an address, istiod would tell the other cluster the addresses of pods, which lead nowhere from there.
        until_true "$gateway in $1 has an address" has_address "$1" "$gateway"
    done
    apply "$1" <"$kind_folder/manifests/east-west.yaml"
    apply "$1" <"$kind_folder/manifests/ingress.yaml"
}

"$kind_folder/meridian.sh" render
in_both mesh
