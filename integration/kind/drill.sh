#!/usr/bin/env bash
# Takes a part of the mesh away, and gives it back when this ends: drill.sh NAME [CLUSTER], `make kind-drill NAME=…`.
#
# It prints `ready` when the part is gone, and holds until Enter, the end of its input, Ctrl-C or FOR seconds. A drill is a file in
# drills/ that says what it is (ABOUT, DEFAULT) and defines `hurt` and `mend`; `mend` runs however this ends.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

drills() { for file in "$kind_folder"/drills/*.sh; do basename "$file" .sh; done; }
name="${1:-}"
if [[ ! "$name" =~ ^[a-z-]+$ || ! -f "$kind_folder/drills/$name.sh" ]]; then
    fail "There is no drill ${name:-without a name}: give one of $(drills | paste -sd ' ') as NAME."
fi
DEFAULT=primary
# shellcheck source=/dev/null
source "$kind_folder/drills/$name.sh"
cluster="${2:-$DEFAULT}"
[[ " ${CLUSTERS[*]} " == *" $cluster "* ]] || fail "There is no cluster $cluster: give one of ${CLUSTERS[*]}."
have kubectl || fail "Drills need kubectl: install it and run this again."
k "$cluster" get namespace bookinfo >/dev/null 2>&1 || fail "The cluster $cluster does not answer: run 'make kind-up' and run this again."

finish() {
    trap - EXIT INT TERM
    mend "$cluster" || fail "$name in $cluster could not be undone: look at it, or 'make kind-down' and 'make kind-up'."
    say "$name in $cluster: undone"
}
trap finish EXIT
trap 'exit 0' INT TERM # which runs the line above
say "$ABOUT, in $cluster"
hurt "$cluster"
printf 'ready\n'
say "holding; Enter or Ctrl-C undoes it"
# Not an error: the end of the input is an order as well.
read -r ${FOR:+-t "$FOR"} _ || true
