#!/usr/bin/env bash
# Removes both clusters and all that was generated for them: `make kind-down`. Nothing of it is left, nor of anything else taken.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

have kind || fail "There is no kind on this machine, so there are no clusters to remove."
for cluster in "${CLUSTERS[@]}"; do
    if kind get clusters 2>/dev/null | grep -qx "$(name_of "$cluster")"; then
        say "removing the cluster $cluster"
        kind delete cluster --name "$(name_of "$cluster")" >/dev/null 2>&1 || fail "The cluster $(name_of "$cluster") could not be removed."
    fi
done
rm -rf "$STATE"
say "gone"
