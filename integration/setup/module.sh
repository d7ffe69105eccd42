#!/usr/bin/env bash
# Builds the filter to target/meridian.wasm, the file that Envoy loads. It exists because plain `cargo build` needs a compiler
# for wasm32 that is not on every machine, and would leave the builder's paths inside the module.
set -euo pipefail
# shellcheck source=integration/setup/wasm-toolchain.sh
source "$(dirname "${BASH_SOURCE[0]}")/wasm-toolchain.sh"
cd "$ROOT"

use_wasm_toolchain
say "building the module"
build_module meridian-filter meridian
size="$(wc -c <"$TARGET_DIR/meridian.wasm")"
printf 'target/meridian.wasm: %d KiB\n' $(((size + 1023) / 1024))
