#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034,SC2154
# The mistake that `meridian install` is made to prevent: routes elsewhere that lead to subsets this cluster has not.
ABOUT="the subsets are in the other cluster only"
DEFAULT=secondary
hurt() { k "$1" delete destinationrule --all-namespaces -l install.meridian/managed=true --ignore-not-found >/dev/null; }
mend() { "$kind_folder/meridian.sh" install >/dev/null; }
