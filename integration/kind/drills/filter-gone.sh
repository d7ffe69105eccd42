#!/usr/bin/env bash
# shellcheck shell=bash disable=SC2034,SC2154
# What a module that is missing, wrong or refused comes to in the end: the native routes are all there is.
ABOUT="the filter is taken out; the routes stay"
hurt() { k "$1" delete envoyfilter --all-namespaces -l install.meridian/managed=true --ignore-not-found >/dev/null; }
mend() { "$kind_folder/meridian.sh" install >/dev/null; }
