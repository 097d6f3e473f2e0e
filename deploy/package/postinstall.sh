#!/bin/sh
# After files were unpacked, by dpkg and by rpm. Nothing is started: the settings lack the secrets, and when purchases
# begin is for a person to decide.
set -e

# dpkg also calls this to take a failed removal back; then there is nothing to do.
case "$1" in abort-*) exit 0 ;; esac

if ! getent passwd recarga >/dev/null; then
	if command -v systemd-sysusers >/dev/null; then
		systemd-sysusers recarga.conf
	else
		useradd --system --user-group --no-create-home --home-dir /var/lib/recarga --shell /usr/sbin/nologin \
			--comment 'Recarga, mobile top-ups' recarga
	fi
fi
chgrp recarga /etc/recarga

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	if systemctl --quiet is-active recarga.service; then
		echo 'recarga: the former version still runs. Read CHANGELOG.md, make a backup, then: systemctl restart recarga'
	fi
fi
if ! grep -q '^RECARGA_DISTRIBUTOR_URL=.' /etc/recarga/recarga.env; then
	echo 'recarga: write the settings into /etc/recarga/recarga.env, then: systemctl enable --now recarga'
fi
