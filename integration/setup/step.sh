#!/usr/bin/env bash
# Runs one step of `make test` under a heading and says how long it took: step.sh HEADING COMMAND... It exists so that a
# reader of a long log sees at once which step failed.
set -euo pipefail

heading="$1"
shift
printf '\n== %s\n' "$heading"
status=0
"$@" || status=$?
if ((status == 0)); then word="done"; else word="FAILED"; fi
printf '== %s: %s after %d s\n' "$heading" "$word" "$SECONDS"
exit "$status"
