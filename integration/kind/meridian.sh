#!/usr/bin/env bash
# Renders the policy and puts it into both clusters as a user would, with the command: meridian.sh render|install|rollback [OPTION...]
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

manifests="$STATE/manifests"
command="${MERIDIAN:-}" # the program; built from here where nobody names another
meridian() { if [[ -n "$command" ]]; then "$command" "$@"; else cargo run --quiet --locked -p meridian --bin meridian -- "$@"; fi; }

module="${MERIDIAN_MODULE:-$TARGET_DIR/meridian.wasm}"
[[ -s "$module" ]] || fail "The filter is not built: run 'make module' and run this again."

meridian render istio "$kind_folder/policy.yaml" --gateway istio-system/ingress --module "$module" --module-dir "$MODULE_FOLDER" \
    --out "$manifests" >"$STATE/render.log" || fail "The policy could not be rendered: the reason is above."

# What istio.sh needs before there is anything to install into.
[[ "$1" != render ]] || exit 0

contexts=()
for cluster in "${CLUSTERS[@]}"; do contexts+=(--context "$cluster=$(context_of "$cluster")"); done
meridian "$1" --manifests "$manifests" "${contexts[@]}" --timeout "$PATIENCE" "${@:2}"
[[ "$1" == install ]] || exit 0

# The alerts, where somebody has put an operator that reads them.
for cluster in "${CLUSTERS[@]}"; do
    there "$cluster" crd prometheusrules.monitoring.coreos.com || continue
    say "cluster $cluster: applying the alerts"
    apply "$cluster" <envoyfilter/alerts/prometheusrule.yaml
done
