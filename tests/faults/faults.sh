#!/usr/bin/env bash
#
# faults.sh - what the fault tests have in common, on top of e2e.sh: the proxy and its log.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/e2e.sh"

proxy_program=$build/tests/tools/fault-proxy

need_fault_tools() {
	command -v openssl >/dev/null && return 0
	echo "not installed: openssl; run scripts/install-deps"
	[ -z "${CI:-}" ] || exit 1
	exit 77
}

# ---- the proxy -----------------------------------------------------------------------------------

proxy_port=0
proxy_upstream=''
proxy_log=''

# start_proxy LOG [ARGUMENT...]: on the same port as before; in front of the S3 server, or of
# $proxy_upstream.
start_proxy() {
	local ready
	mkfifo "$case_dir/ready"
	"$proxy_program" --upstream "${proxy_upstream:-${S3_ENDPOINT##*:}}" --port "$proxy_port" \
		--log "$@" >"$case_dir/ready" &
	export proxy_pid=$!
	pids+=("$proxy_pid")
	read -r -t 10 ready <"$case_dir/ready" || fail "the proxy does not start"
	rm "$case_dir/ready"
	proxy_port=${ready#port=}
	export proxy_url=http://127.0.0.1:$proxy_port
}

stop_proxy() { end_process "$proxy_pid"; }

# ---- its log -------------------------------------------------------------------------------------

# requests OPERATION|any
requests() { awk -v operation="$1" 'operation == "any" || $3 == operation' "$proxy_log"; }

# "<upload id> <part>" of each part that the server acknowledged, and the client heard it, twice.
parts_sent_twice() {
	requests part | awk '$8 == 200 && $9 == "-" { print $6, $5 }' | sort | uniq -d
}

# expect_no_lies ORIGINAL [ARGUMENT...]: what the run and its status, metrics and events say of the session's one
# file is true.
expect_no_lies() {
	printf '%s\n' "$output" >"$case_dir/said"
	# shellcheck disable=SC2154  # name: the sweep's
	env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" python3 -B "$tests/faults/oracle.py" \
		--program "$program" --recordings "$recordings" --original "${session##*/}/$name=$1" \
		--bucket "$S3_ENDPOINT/$bucket" --aws-key "$S3_ACCESS_KEY:$S3_SECRET_KEY" --backend "$case_dir/backend.log" \
		--exit-code "$code" --output "$case_dir/said" "${@:2}" || fail "the oracle says so"
}

# ---- the rest ------------------------------------------------------------------------------------

# expect_at_least WHAT LIMIT GOT
expect_at_least() {
	[ "${3:--1}" -ge "$2" ] || fail "$1: at least $2, got '$3'"
}

# In one line. (These tests are many: no reader that takes a while to start.)
keys_of_bucket() {
	s3_request GET "/$bucket?list-type=2" | { grep -oE '<Key>[^<]*' || true; } |
		sed 's/<Key>//' | paste -s -d ' '
}

# What a server that lied, or a fault in aborting, left; key and upload id have no blanks in them.
abort_all_uploads() {
	local key id
	while read -r key id; do
		s3_request DELETE "/$bucket/$key?uploadId=$id"
	done < <(open_uploads)
}
