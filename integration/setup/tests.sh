#!/usr/bin/env bash
# Runs every test of the workspace in two rows side by side: the tests on real Envoys mostly wait, those of scripts and commands mostly
# compute, and one after the other they take twice as long. The first row is named here and made to last as long as the other; a file
# of tests of the harness that is not named is in the second.
set -euo pipefail
# shellcheck source=integration/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

# Tests of the harness that need no Envoy, and as many of the others as fill the row.
named="kind verify setup module istio_setup istio_network apiserver_setup apiserver_access alerts"
first=(--lib --bins)
second=()
for file in filter/core/tests/*/main.rs; do first+=(--test "$(basename "${file%/main.rs}")"); done
for file in envoyfilter/tests/*.rs bench/tests/*.rs integration/tests/*.rs; do
    name="$(basename "$file" .rs)"
    case "$file: $named " in
        *:*" $name "*) first+=(--test "$name") ;;
        integration/*) second+=(--test "$name") ;;
        # Targets are chosen by name, so one that the harness has as well is in its row.
        *) [[ -e "integration/tests/$name.rs" ]] || first+=(--test "$name") ;;
    esac
done

# Stand-ins are started hundreds of times, and where python3 is a version manager's shim most of each start is the shim.
PATH="$(dirname "$(python3 -c 'import sys; print(sys.executable)')"):$PATH"
export PATH

# Words that are kept are compared here and never written anew.
export INSTA_UPDATE=no

# One selection of packages throughout: another one would be built with other features, and anew. A failure hides no other.
test_them=(cargo test --workspace --locked --no-fail-fast)
say "building the tests"
"${test_them[@]}" --quiet --no-run
log="$TARGET_DIR/tests.log"
"${test_them[@]}" "${first[@]}" >"$log" 2>&1 &
running=$!
trap 'kill "$running" 2>/dev/null || true' EXIT
status=0
"${test_them[@]}" "${second[@]}" || status=$?
wait "$running" || status=$?
trap - EXIT
printf '\n-- the first row, which ran beside the second\n'
cat "$log"
((status == 0)) || exit "$status"
"${test_them[@]}" --quiet --doc
