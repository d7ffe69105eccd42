#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034
ABOUT="istiod is gone: proxies keep what they know"
hurt() {
    k "$1" scale -n istio-system deployment/istiod --replicas=0 >/dev/null
    gone "$1" istio-system app=istiod
}
mend() {
    k "$1" scale -n istio-system deployment/istiod --replicas=1 >/dev/null
    k "$1" rollout status -n istio-system deployment/istiod --timeout="${PATIENCE}s" >/dev/null
}
