#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034
# Packets between one node and the other, or the address of the other's east-west gateway, are dropped in both directions and without
# an answer: what a cut cable looks like. This machine still reaches both, so what each half does can be seen.
ABOUT="nothing passes between the clusters, and nobody says so"
DEFAULT=secondary
cut_off() { # -I or -D, CLUSTER
    local used other address chain
    used="$(engine)" other="$(other_than "$2")"
    for address in "$("$used" inspect --format '{{.NetworkSettings.Networks.kind.IPAddress}}' "$(node_of "$other")")" \
        "$(address_of "$other" istio-eastwestgateway)"; do
        for chain in "INPUT -s" "OUTPUT -d" "FORWARD -s" "FORWARD -d"; do
            # A rule that never came about need not go. $chain is two words.
            # shellcheck disable=SC2086
            if [[ "$1" == -D ]] && ! "$used" exec "$(node_of "$2")" iptables -C $chain "$address" -j DROP 2>/dev/null; then continue; fi
            # shellcheck disable=SC2086
            "$used" exec "$(node_of "$2")" iptables "$1" $chain "$address" -j DROP
        done
    done
}
hurt() { cut_off -I "$1"; }
mend() { cut_off -D "$1"; }
