#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034
ABOUT="the east-west gateway is gone: other clusters cannot reach in"
DEFAULT=secondary
hurt() {
    k "$1" scale -n istio-system deployment/istio-eastwestgateway --replicas=0 >/dev/null
    k "$1" wait pod -n istio-system -l istio=eastwestgateway --for=delete --timeout="${PATIENCE}s" >/dev/null 2>&1
}
mend() {
    k "$1" scale -n istio-system deployment/istio-eastwestgateway --replicas=1 >/dev/null
    k "$1" rollout status -n istio-system deployment/istio-eastwestgateway --timeout="${PATIENCE}s" >/dev/null
}
