#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034,SC2154
# The same filter with an empty custom section more: other bytes, so another file and another name, as an upgrade has.
ABOUT="another build of the module takes the place of this one"
hurt() {
    local module="${MERIDIAN_MODULE:-$TARGET_DIR/meridian.wasm}"
    { cat "$module" && printf '\x00\x01\x00'; } >"$STATE/another.wasm"
    MERIDIAN_MODULE="$STATE/another.wasm" "$kind_folder/meridian.sh" install >/dev/null
}
mend() { "$kind_folder/meridian.sh" install >/dev/null; }
