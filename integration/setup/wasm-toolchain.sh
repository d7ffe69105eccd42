#!/usr/bin/env bash
# Finds or installs what compiles Rust to wasm32-unknown-unknown, for module.sh, empty-filter.sh and wasm-tests.sh. Sourced, not run.
#
# rustup's target is used where it is there or can be added. Not every machine reaches rustup's server, so there is a second
# way: Debian's own compiler, with the standard library built from Debian's source. WASM_TOOLCHAIN=debian insists on that one.
set -euo pipefail
# shellcheck source=integration/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

WASM_TARGET=wasm32-unknown-unknown
WASM_ARGS=(--locked --target "$WASM_TARGET" --target-dir "$TARGET_DIR/wasm")

target_installed() { compgen -G "$(rustc --print sysroot)/lib/rustlib/$WASM_TARGET/lib/libstd-*.rlib" >/dev/null; }

# Asks rustup for the target: once, and not for long. A failure is remembered, so that only the first run waits for it.
rustup_adds_target() {
    local failed="$TARGET_DIR/.rustup-failed"
    have rustup && [[ ! -e "$failed" ]] || return 1
    say "asking rustup for the target $WASM_TARGET"
    mkdir -p "$TARGET_DIR"
    timeout 60 rustup target add "$WASM_TARGET" >"$TARGET_DIR/rustup.log" 2>&1 && target_installed && return 0
    touch "$failed"
    say "rustup cannot add it here; using Debian's compiler from now on"
    return 1
}

# Prints the linker package: the one Debian's compiler is made with, else the newest there is.
newest_lld() {
    local known
    known="$(apt-cache search --names-only '^lld-[0-9]+$' 2>/dev/null | cut -d ' ' -f 1 | sort -V)"
    grep -x lld-22 <<<"$known" || tail -n 1 <<<"$known"
}

use_debian() {
    local lld packages=(rustc-web rust-web-src)
    local help="so run 'rustup target add $WASM_TARGET' where there is a network and run this again."
    have apt-get || fail "There is no compiler for $WASM_TARGET and no apt-get to install one, $help"
    if ! installed "${packages[@]}"; then apt_update || true; fi
    lld="$(newest_lld)"
    apt_install "${packages[@]}" "${lld:-lld-22}" ||
        fail "Debian's packages ${packages[*]} ${lld:-lld-22} could not be installed (see target/apt.log), $help"
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="wasm-ld-${lld#lld-}"
    WASM_ARGS+=("-Zbuild-std=std,panic_abort")
}

# No path of this machine may be in the module: the same source gives the same bytes in any folder.
forget_paths() {
    local library from flags=()
    library="$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/src/rust"
    for from in "$library" "$(readlink -m "$library")"; do flags+=("--remap-path-prefix=$from=/rust"); done
    flags+=("--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" "--remap-path-prefix=$ROOT=/meridian")
    CARGO_ENCODED_RUSTFLAGS="$(printf '%s\x1f' "${flags[@]}")"
    export CARGO_ENCODED_RUSTFLAGS="${CARGO_ENCODED_RUSTFLAGS%$'\x1f'}"
}

# Builds a package as a module: build_module PACKAGE NAME makes target/NAME.wasm.
build_module() {
    local package="$1" built module="$TARGET_DIR/$2.wasm"
    # Only as a cdylib: while a Rust library is made too, cargo leaves link-time optimization out.
    cargo rustc --quiet --release --package "$package" --lib --crate-type cdylib "${WASM_ARGS[@]}" ||
        fail "$package could not be built: the compiler says why above."
    built="$TARGET_DIR/wasm/$WASM_TARGET/release/${package//-/_}.wasm"
    # An unchanged module keeps its date, and a reader never sees half of a new one.
    if ! cmp --silent "$built" "$module"; then
        cp "$built" "$module.$$"
        mv "$module.$$" "$module"
    fi
}

# Afterwards `cargo <command> "${WASM_ARGS[@]}"` compiles to wasm32.
use_wasm_toolchain() {
    have cargo rustc || fail "Rust is not installed: install it from https://rustup.rs and run this again."
    if [[ "${WASM_TOOLCHAIN:-}" == debian ]] || ! { target_installed || rustup_adds_target; }; then use_debian; fi
    forget_paths
}
