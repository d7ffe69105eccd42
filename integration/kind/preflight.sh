#!/usr/bin/env bash
# Says, before anything is made, what this machine lacks for two clusters: every lack in a line, with what to do.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

have docker || have podman ||
    fail "The kind clusters need docker or podman, and there is neither: install one and run this again."
used="$(engine)"
[[ -n "$used" ]] || fail "The kind clusters need a container engine that runs, and none answers here: start docker or podman and run this again."

lacks=()
lack() { lacks+=("$*"); }
# True when version $1 is at least $2.
at_least() { [[ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" == "$2" ]]; }

have openssl || lack "openssl, for the certificates: install it"
have curl || lack "curl: install it"
if have kind; then
    version="$(kind version | awk '{ print $2 }')"
    at_least "${version#v}" "$KIND_OLDEST" || lack "kind $KIND_OLDEST or newer, and this is $version: go install sigs.k8s.io/kind@v0.30.0"
else
    lack "kind: go install sigs.k8s.io/kind@v0.30.0"
fi
have kubectl || lack "kubectl: install it (https://kubernetes.io/docs/tasks/tools)"
if have istioctl; then
    version="$(istioctl version --remote=false 2>/dev/null | tail -n 1 | awk '{ print $NF }')"
    [[ "$version" == 1.28.* ]] || lack "istioctl of Istio 1.28, and this is ${version:-unknown}: install $ISTIO_VERSION"
else
    lack "istioctl $ISTIO_VERSION (https://github.com/istio/istio/releases/tag/$ISTIO_VERSION)"
fi

# Limits of the kernel: beyond them pods fail with `too many open files`, long after this.
limit() {
    local now
    now="$(sysctl -n "$1" 2>/dev/null || echo "$2")"
    ((now >= $2)) || lack "$1 of $2, and it is $now: sudo sysctl $1=$2"
}
limit fs.inotify.max_user_watches 524288
limit fs.inotify.max_user_instances 512

cpus="$("$used" info --format '{{.NCPU}}' 2>/dev/null || true)"
memory="$("$used" info --format '{{.MemTotal}}' 2>/dev/null || true)"
if [[ "$cpus" =~ ^[0-9]+$ ]] && ((cpus < 4)); then lack "4 processors for $used, and it has $cpus: give it more"; fi
if [[ "$memory" =~ ^[0-9]+$ ]] && ((memory < 7 << 30)); then
    lack "8 GiB of memory for $used, and it has $((memory >> 20)) MiB: give it more"
fi

if ((${#lacks[@]})); then
    printf 'The kind clusters need:\n' >&2
    printf -- '- %s\n' "${lacks[@]}" >&2
    fail "Then run this again."
fi
say "this machine has all that two clusters need ($used)"
