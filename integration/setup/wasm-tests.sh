#!/usr/bin/env bash
# Runs the core's tests as WebAssembly, in Node. It exists because the policy runs as wasm32 in Envoy: 32-bit sizes, another
# code generator, no clock and no random numbers; the tests on the host cannot see what that changes.
set -euo pipefail
# shellcheck source=integration/setup/wasm-toolchain.sh
source "$(dirname "${BASH_SOURCE[0]}")/wasm-toolchain.sh"
cd "$ROOT"

node="$(node --version 2>/dev/null || true)"
major="${node#v}"
major="${major%%.*}"
[[ -n "$node" ]] || fail "These tests run in Node, which is not installed: install Node 18 or newer and run this again."
((major >= 18)) || fail "These tests need Node 18 or newer, and this is $node: install a newer one and run this again."

# The runner must be of the very version that the tests are compiled against.
version="$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/"/, "", $3); print $3 }' Cargo.lock)"
tools="$TARGET_DIR/tools"
runner="wasm-bindgen-test-runner"
if [[ "$("$tools/bin/$runner" --version 2>/dev/null || true)" != *" $version" ]]; then
    say "installing $runner $version (once, about two minutes)"
    mkdir -p "$tools"
    cargo install --quiet wasm-bindgen-cli --version "$version" --root "$tools" --force >"$tools/install.log" 2>&1 ||
        fail "wasm-bindgen-cli $version could not be installed (see target/tools/install.log):" \
            "check the network and run this again."
fi

use_wasm_toolchain
say "testing the core as WebAssembly in Node ${node#v}"
export PATH="$tools/bin:$PATH" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$runner"
log="$TARGET_DIR/wasm-tests.log"
# Not the documentation's examples: they would need the documentation tool of the same compiler.
cargo test --package meridian-core --lib "${WASM_ARGS[@]}" 2>&1 | tee "$log" ||
    fail "The core's tests fail as WebAssembly: the reason is above."
grep -q '[1-9][0-9]* passed' "$log" || fail "No test ran as WebAssembly: mark some of the core's tests with #[wasm_bindgen_test]."
