#!/usr/bin/env bash
# The one place that says what the kind harness runs. Every image has a tag that does not move. Sourced, not run.
# shellcheck disable=SC2034 # used by those who source this
set -euo pipefail

KIND_NODE_IMAGE="kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a" # of kind 0.30.0
KIND_OLDEST=0.27.0 # the oldest kind that runs such a node
ISTIO_VERSION=1.28.3
ISTIO_HUB=docker.io/istio
METALLB_VERSION=v0.14.9
# Its images have the same tag.
METALLB_MANIFEST="https://raw.githubusercontent.com/metallb/metallb/$METALLB_VERSION/config/manifests/metallb-native.yaml"
BOOKINFO_TAG=1.20.3
BOOKINFO_IMAGE=docker.io/istio/examples-bookinfo # -SERVICE-VERSION:$BOOKINFO_TAG
HELLOWORLD_TAG=1.0
HELLOWORLD_IMAGE=docker.io/istio/examples-helloworld # -VERSION:$HELLOWORLD_TAG
