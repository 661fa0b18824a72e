#!/bin/sh
# Run by dpkg (remove, upgrade) and rpm (0, 1) before files go: the service ends if the package does. Its socket first, or that starts it again.
set -e
case ${1:-} in
remove | 0)
	if [ -d /run/systemd/system ]; then systemctl disable --now signal-server.socket signal-server.service; fi
	;;
esac
