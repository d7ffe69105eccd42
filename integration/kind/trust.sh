#!/usr/bin/env bash
# One root and one intermediate authority for each cluster, in place before istiod is: one that starts without `cacerts` makes a root
# of its own, and then no cluster believes the other.
set -euo pipefail
# shellcheck source=integration/kind/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
certificates="$STATE/certificates"
days=730

make_root() {
    [[ -s "$certificates/root-cert.pem" ]] && return
    say "making the root authority that both clusters share"
    openssl req -x509 -newkey rsa:4096 -nodes -sha256 -days "$days" -subj "/O=Meridian/CN=Root CA" \
        -addext basicConstraints=critical,CA:true -addext keyUsage=critical,digitalSignature,keyCertSign,cRLSign \
        -keyout "$certificates/root-key.pem" -out "$certificates/root-cert.new" 2>>"$STATE/openssl.log"
    mv "$certificates/root-cert.new" "$certificates/root-cert.pem"
}

make_intermediate() {
    local folder="$certificates/$1"
    [[ -s "$folder/cert-chain.pem" ]] && return
    mkdir -p "$folder"
    openssl req -newkey rsa:4096 -nodes -sha256 -subj "/O=Meridian/CN=Intermediate CA/L=$1" \
        -keyout "$folder/ca-key.pem" -out "$folder/ca.csr" 2>>"$STATE/openssl.log"
    openssl x509 -req -sha256 -days "$days" -in "$folder/ca.csr" -set_serial "0x$(openssl rand -hex 16)" \
        -CA "$certificates/root-cert.pem" -CAkey "$certificates/root-key.pem" -out "$folder/ca-cert.pem" -extfile <(
            printf 'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,digitalSignature,keyCertSign,cRLSign\n'
            printf 'subjectAltName=DNS:istiod.istio-system.svc\n'
        ) 2>>"$STATE/openssl.log"
    cp "$certificates/root-cert.pem" "$folder/root-cert.pem"
    cat "$folder/ca-cert.pem" "$folder/root-cert.pem" >"$folder/cert-chain.new"
    mv "$folder/cert-chain.new" "$folder/cert-chain.pem"
}

trust() {
    local folder="$certificates/$1" network
    network="$(network_of "$1")"
    apply "$1" <<YAML
apiVersion: v1
kind: Namespace
metadata: {name: istio-system, labels: {topology.istio.io/network: $network}}
YAML
    there "$1" secret -n istio-system cacerts && return
    ! there "$1" deployment -n istio-system istiod ||
        fail "istiod runs in $1 without the shared root, so neither cluster believes the other: 'make kind-down', and run this again."
    say "cluster $1: giving it an authority under the shared root"
    k "$1" create secret generic -n istio-system cacerts --from-file="$folder/ca-cert.pem" --from-file="$folder/ca-key.pem" \
        --from-file="$folder/root-cert.pem" --from-file="$folder/cert-chain.pem" >/dev/null
}

mkdir -p "$certificates"
chmod 700 "$certificates"
make_root
for cluster in "${CLUSTERS[@]}"; do make_intermediate "$cluster"; done
in_both trust
