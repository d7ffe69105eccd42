#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034
ABOUT="istiod is gone: proxies keep what they know"
hurt() {
    k "$1" scale -n istio-system deployment/istiod --replicas=0 >/dev/null
    k "$1" wait pod -n istio-system -l app=istiod --for=delete --timeout="${PATIENCE}s" >/dev/null 2>&1
}
mend() {
    k "$1" scale -n istio-system deployment/istiod --replicas=1 >/dev/null
    k "$1" rollout status -n istio-system deployment/istiod --timeout="${PATIENCE}s" >/dev/null
}
