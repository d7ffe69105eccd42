#!/bin/sh
# A stand-in for kubectl. Questions about permissions are most of the calls and need no cluster, so they are answered here; the rest is
# beside this, in Python, which takes its time to start.
case "$3 $4" in
"--request-timeout=30s auth")
    printf '{"arguments": ["--context", "%s", "%s", "auth", "can-i", "%s", "%s"], "input": ""}\n' "$2" "$3" "$6" "$7" >>"$STAND_IN/log"
    resource="$7"
    for word in "$@"; do case "$word" in --subresource=*) resource="$resource/${word#*=}" ;; esac; done
    case "$7" in */*) echo yes; exit ;; esac # as the real one: a resource of that name, which nobody has forbidden
    [ "$2 $6 $resource" != "${DENY:-}" ] || { echo no; exit 1; }
    echo yes
    ;;
*) exec python3 -SE "$(dirname "$0")/kubectl.py" "$@" ;;
esac
