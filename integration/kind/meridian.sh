#!/usr/bin/env bash
# Renders the policy and puts it into both clusters as a user would, with the command: meridian.sh install|rollback [OPTION...]
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

manifests="$STATE/manifests"
command="${MERIDIAN:-}" # the program; built from here where nobody names another
meridian() { if [[ -n "$command" ]]; then "$command" "$@"; else cargo run --quiet --locked -p meridian --bin meridian -- "$@"; fi; }

module="${MERIDIAN_MODULE:-$TARGET_DIR/meridian.wasm}"
[[ -s "$module" ]] || fail "The filter is not built: run 'make module' and run this again."

meridian render istio "$kind_folder/policy.yaml" --gateway istio-system/ingress --out "$manifests" >"$STATE/render.log" ||
    fail "The policy could not be rendered: the reason is above."

# The ConfigMap of the module, where the manifests name a file and bring none: module_for CLUSTER
module_for() {
    local file
    file="$(grep -rhoE "$MODULE_FOLDER/[A-Za-z0-9._-]+\.wasm" "$manifests/$1" 2>/dev/null | sort -u | head -n 1 || true)"
    if [[ -z "$file" ]] || grep -rqs '^kind: ConfigMap' "$manifests/$1" --exclude-dir=harness; then return; fi
    mkdir -p "$manifests/$1/harness"
    for namespace in istio-system bookinfo; do
        k "$1" create configmap "$MODULE_CONFIG_MAP" -n "$namespace" --from-file="${file##*/}=$module" --dry-run=client -o yaml \
            >"$manifests/$1/harness/module-$namespace.yaml"
    done
}

contexts=()
for cluster in "${CLUSTERS[@]}"; do
    module_for "$cluster"
    contexts+=(--context "$cluster=$(context_of "$cluster")")
done
meridian "$1" --manifests "$manifests" "${contexts[@]}" --timeout "$PATIENCE" "${@:2}"
