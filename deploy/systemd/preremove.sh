#!/bin/sh
# Run by dpkg (remove, upgrade) and rpm (0, 1) before files go: the service ends if the package does.
set -e
case ${1:-} in
remove | 0)
	if [ -d /run/systemd/system ]; then systemctl disable --now signal-server.service; fi
	;;
esac
