#!/bin/sh
# Before the files go. dpkg says "upgrade" where a new version follows, rpm 1: then the service runs on.
set -e

case "$1" in remove | 0) ;; *) exit 0 ;; esac
[ ! -d /run/systemd/system ] || systemctl --quiet disable --now recarga.service
