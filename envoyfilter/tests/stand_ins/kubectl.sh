#!/bin/sh
# A stand-in for kubectl. Questions about permissions are most of the calls and need no cluster, so they are answered here; the rest is
# beside this, in Python, which takes its time to start.
case "$3 $4" in
"--request-timeout=30s auth")
    printf '{"arguments": ["--context", "%s", "%s", "auth", "can-i", "%s", "%s"], "input": ""}\n' "$2" "$3" "$6" "$7" >>"$STAND_IN/log"
    [ "$2 $6 $7" != "${DENY:-}" ] || { echo no; exit 1; }
    echo yes
    ;;
*) exec python3 -SE "$(dirname "$0")/kubectl.py" "$@" ;;
esac
