#!/usr/bin/env bash
#
# e2e_server.sh - the S3 server that the end-to-end tests share while CTest runs them.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/e2e/e2e_server.sh start|stop

set -euo pipefail

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

case ${1:-} in
start)
	need_tools
	start_server
	;;
stop) stop_server ;;
*)
	echo "usage: tests/e2e/e2e_server.sh start|stop" >&2
	exit 64
	;;
esac
