#!/usr/bin/env bash
# The one place that says which Envoys Meridian is tested on. Sourced, not run.
set -euo pipefail

# 1.36 is the line inside Istio 1.28; 1.40 is the newest.
# shellcheck disable=SC2034 # used by those who source this
ENVOY_VERSIONS=(1.36.4 1.40.0)
