#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034
# Packets between the two nodes are dropped, in both directions and without an answer: what a cut cable looks like. This machine
# still reaches both, so what each half does can be seen.
ABOUT="nothing passes between the clusters, and nobody says so"
DEFAULT=secondary
cut_off() { # -I or -D, CLUSTER
    local used other address chain
    used="$(engine)" other="$(node_of "$(other_than "$2")")"
    address="$("$used" inspect --format '{{.NetworkSettings.Networks.kind.IPAddress}}' "$other")"
    for chain in "INPUT -s" "OUTPUT -d" "FORWARD -s" "FORWARD -d"; do
        # shellcheck disable=SC2086 # two words
        "$used" exec "$(node_of "$2")" iptables "$1" $chain "$address" -j DROP
    done
}
hurt() { cut_off -I "$1"; }
mend() { cut_off -D "$1"; }
