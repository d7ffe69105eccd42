#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034
ABOUT="productpage has no instance"
hurt() {
    k "$1" scale -n bookinfo deployment/productpage-v1 --replicas=0 >/dev/null
    k "$1" wait pod -n bookinfo -l app=productpage --for=delete --timeout="${PATIENCE}s" >/dev/null 2>&1
}
mend() {
    k "$1" scale -n bookinfo deployment/productpage-v1 --replicas=1 >/dev/null
    k "$1" rollout status -n bookinfo deployment/productpage-v1 --timeout="${PATIENCE}s" >/dev/null
}
