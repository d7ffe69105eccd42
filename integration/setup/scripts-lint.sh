#!/usr/bin/env bash
# Lints the project's shell scripts. It exists because shellcheck is not on every machine: it is installed where that is
# possible, and where it is not, that is said and is no failure.
set -euo pipefail
# shellcheck source=integration/setup/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

if have shellcheck || apt_install shellcheck; then
    shellcheck --external-sources integration/setup/*.sh .ci/run
else
    say "shellcheck is not installed and cannot be: the scripts are not linted"
fi
