#!/usr/bin/env bash
# Builds the filter that does nothing to target/empty-filter.wasm, just as module.sh builds Meridian's: `make bench` compares the two.
set -euo pipefail
# shellcheck source=integration/setup/wasm-toolchain.sh
source "$(dirname "${BASH_SOURCE[0]}")/wasm-toolchain.sh"
cd "$ROOT"

use_wasm_toolchain
say "building the empty filter"
build_module empty-filter empty-filter
