#!/bin/sh
# As the official image does: options alone, or a settings file, are redis-server's; it does not run as root.
set -e
case "${1:-}" in
-* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    chown -R redis /data
    exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
fi
umask 0077
exec "$@"
