#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034
ABOUT="one of the two ingress gateways is deleted; its deployment makes another"
hurt() {
    local pod
    pod="$(k "$1" get pods -n istio-system -l istio=ingressgateway -o 'jsonpath={.items[0].metadata.name}')"
    k "$1" delete pod -n istio-system "$pod" --wait=false >/dev/null
}
mend() { k "$1" rollout status -n istio-system deployment/istio-ingressgateway --timeout="${PATIENCE}s" >/dev/null; }
