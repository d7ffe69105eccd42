#!/usr/bin/env bash
# Builds the filter that does nothing to target/empty-filter.wasm, just as module.sh builds Meridian's: `make bench` compares the two.
set -euo pipefail
# shellcheck source=integration/setup/wasm-toolchain.sh
source "$(dirname "${BASH_SOURCE[0]}")/wasm-toolchain.sh"
cd "$ROOT"

use_wasm_toolchain
say "building the empty filter"
cargo rustc --quiet --release --package empty-filter --lib --crate-type cdylib "${WASM_ARGS[@]}" ||
    fail "The empty filter could not be built: the compiler says why above."

built="$TARGET_DIR/wasm/$WASM_TARGET/release/empty_filter.wasm"
cp "$built" "$TARGET_DIR/empty-filter.wasm.$$"
mv "$TARGET_DIR/empty-filter.wasm.$$" "$TARGET_DIR/empty-filter.wasm"
