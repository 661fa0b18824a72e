#!/bin/sh
# Run by dpkg and rpm after the files are there: makes the user, and closes what it alone may read.
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers signal-server.conf
	# signal-server token --file appends to it: by root, for the server to read.
	touch /etc/signal-server/tokens
	chgrp signal-server /etc/signal-server /etc/signal-server/signal-server.env /etc/signal-server/tokens
	chmod 0750 /etc/signal-server
	chmod 0640 /etc/signal-server/signal-server.env /etc/signal-server/tokens
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart signal-server.service
fi
