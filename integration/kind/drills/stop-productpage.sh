#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034
ABOUT="productpage has no instance"
hurt() {
    k "$1" scale -n bookinfo deployment/productpage-v1 --replicas=0 >/dev/null
    gone "$1" bookinfo app=productpage
}
mend() {
    k "$1" scale -n bookinfo deployment/productpage-v1 --replicas=1 >/dev/null
    k "$1" rollout status -n bookinfo deployment/productpage-v1 --timeout="${PATIENCE}s" >/dev/null
}
