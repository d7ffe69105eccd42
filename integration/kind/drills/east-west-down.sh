#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034
ABOUT="the east-west gateway is gone: other clusters cannot reach in"
DEFAULT=secondary
hurt() {
    k "$1" scale -n istio-system deployment/istio-eastwestgateway --replicas=0 >/dev/null
    gone "$1" istio-system istio=eastwestgateway
}
mend() {
    k "$1" scale -n istio-system deployment/istio-eastwestgateway --replicas=1 >/dev/null
    k "$1" rollout status -n istio-system deployment/istio-eastwestgateway --timeout="${PATIENCE}s" >/dev/null
}
