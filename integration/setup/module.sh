#!/usr/bin/env bash
# Builds the filter to target/meridian.wasm, the file that Envoy loads. It exists because plain `cargo build` needs a compiler
# for wasm32 that is not on every machine, and would leave the builder's paths inside the module.
set -euo pipefail
# shellcheck source=integration/setup/wasm-toolchain.sh
source "$(dirname "${BASH_SOURCE[0]}")/wasm-toolchain.sh"
cd "$ROOT"

use_wasm_toolchain
say "building the module"
# Only as a cdylib: while a Rust library is made too, cargo leaves link-time optimization out.
cargo rustc --quiet --release --package meridian-filter --lib --crate-type cdylib "${WASM_ARGS[@]}" ||
    fail "The module could not be built: the compiler says why above."

built="$TARGET_DIR/wasm/$WASM_TARGET/release/meridian_filter.wasm"
module="$TARGET_DIR/meridian.wasm"
# An unchanged module keeps its date, and a reader never sees half of a new one.
if ! cmp --silent "$built" "$module"; then
    cp "$built" "$module.new"
    mv "$module.new" "$module"
fi
size="$(wc -c <"$module")"
printf 'target/meridian.wasm: %d KiB\n' $(((size + 1023) / 1024))
