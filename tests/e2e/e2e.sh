#!/usr/bin/env bash
#
# e2e.sh - what the end-to-end tests have in common: e2e_*.sh source it.
#
# A test file defines a function for each case, whose name is the sentence that it proves, and calls
# `run NAME [ARGUMENT...]` for it. A case has a subshell of its own, in which every command that
# fails ends it, a bucket, a recordings directory and a backend; at its end no secret may be in what
# was printed, logged or written to the journal, and no multipart upload may be open.
#
#   E2E_BUILD      the build directory: the programs, and below e2e/ all state
#   E2E_KEEP=1     keep the files of cases that failed
#   SANITIZED=1    the programs are built with sanitizers: no memory is measured
#
#   E2E_BUILD=build/test tests/e2e/e2e_files.sh [PATTERN]     only the cases whose name matches PATTERN
#
# Without the server of e2e_server.sh a test file starts its own.

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${E2E_BUILD:?is to be the build directory}"
build=$(cd "$E2E_BUILD" && pwd)
state=$build/e2e
server_env=$state/server.env
program=$build/finalize/jibri-finalize
stand_in=$build/tests/tools/backend-stand-in
sink_program=$build/tests/tools/sink
# The server outlives the script, and a later one may have the same process id.
buckets=e2e-$$-$EPOCHSECONDS
export S3_STATE=$state/s3 S3_STORE=bluestore
shopt -s inherit_errexit

MIB=1048576
export MIB

# ---- tools ---------------------------------------------------------------------------------------

# Exit code 77: CTest counts it as skipped. In CI (CI is set) everything has to be there.
need_tools() {
	local tool missing=''
	for tool in radosgw ceph rclone aws s3 curl jq sqlite3; do
		command -v "$tool" >/dev/null || missing+=" $tool"
	done
	[ -x /usr/bin/time ] || missing+=" time"
	[ -n "$missing" ] || return 0
	echo "not installed:$missing; run scripts/install-deps"
	[ -z "${CI:-}" ] || exit 1
	exit 77
}

# ---- the S3 server -------------------------------------------------------------------------------

# Ports: one for HTTP, one for HTTPS, and 20 for the server's own use, in a free place.
start_server() {
	local tries output
	mkdir -p "$state"
	for ((tries = 0; tries < 20; tries++)); do
		S3_PORT=$((20000 + RANDOM % 120 * 100))
		if output=$(S3_PORT=$S3_PORT S3_TLS_PORT=$((S3_PORT + 1)) S3_CEPH_PORT=$((S3_PORT + 10)) \
			"$tests/../scripts/s3-server" start 2>&1 >/dev/null); then
			echo "$output"
			"$tests/../scripts/s3-server" env >"$server_env"
			return 0
		fi
		[[ $output == *' is in use;'* ]] || break
	done
	echo "$output" >&2
	return 1
}

stop_server() {
	rm -f "$server_env"
	"$tests/../scripts/s3-server" stop
}

use_server() {
	need_tools
	if ! "$tests/../scripts/s3-server" env >/dev/null 2>&1 || [ ! -e "$server_env" ]; then
		start_server || exit 1
		own_server=yes
	fi
	# shellcheck source=/dev/null  # written by s3-server
	. "$server_env"
	# Not below the build directory: paths in it may be long, and hold anything.
	work=$(mktemp -d "${TMPDIR:-/tmp}/jibri-finalize-e2e.XXXXXX")
	trap leave EXIT
}

# What failed comes once more at the end: a long log may have been cut by then.
leave() {
	if [ -s "$work/failures" ]; then
		echo "what failed:"
		sed 's/^/    /' "$work/failures"
	fi
	[ "$own_server" = no ] || stop_server || true
	rm -rf "$work"
}

# ---- cases ---------------------------------------------------------------------------------------

own_server=no
work=''
wanted=${1:-*}
case_count=0
failure_count=0

# run NAME [ARGUMENT...]
run() {
	local sentence=${1//_/ } status took
	# shellcheck disable=SC2053  # a pattern
	[[ $1 == $wanted ]] || return 0
	[ $# = 1 ] || sentence+=": ${*:2}"
	[ -n "$work" ] || use_server
	case_count=$((case_count + 1))
	case_dir=$work/$case_count
	mkdir "$case_dir"
	took=$SECONDS
	(run_case "$@") >"$case_dir/log" 2>&1 </dev/null
	status=$?
	took=$((SECONDS - took))
	[ "$took" -lt 5 ] || sentence+=" ($took s)"
	if [ "$status" = 0 ]; then
		echo "ok - $sentence"
		rm -rf "$case_dir"
		return 0
	fi
	failure_count=$((failure_count + 1))
	echo "not ok - $sentence"
	{
		echo "not ok - $sentence"
		grep -E -m 1 '^(FAILED: |line [0-9]+ of .* failed: )' "$case_dir/log" | sed 's/^/    /'
	} >>"$work/failures"
	tail -n 100 "$case_dir/log" | sed 's/^/    /'
	if [ -n "${E2E_KEEP:-}" ]; then
		cp -a "$case_dir" "$state/failed-$$-$case_count"
		echo "    the files are kept in $state/failed-$$-$case_count"
	fi
	rm -rf "$case_dir"
}

# To be the last command of a test file.
end_of_cases() {
	[ "$case_count" -gt 0 ] || echo "no case matches $wanted" >&2
	[ "$case_count" -gt 0 ] && [ "$failure_count" = 0 ]
}

run_case() {
	set -E -e -u -o pipefail
	trap 'echo "line $LINENO of ${BASH_SOURCE[0]##*/} failed: $BASH_COMMAND" >&2' ERR
	trap end_processes EXIT
	recordings=$case_dir/recordings
	session=$recordings/nzqxnaoiugxqlhbp
	copies=$case_dir/copies
	journal=$recordings/.jibri-finalize/journal.db
	outputs=$case_dir/outputs
	bucket=$buckets-$case_count
	own_address=127.$((1 + (BASHPID >> 16))).$((BASHPID >> 8 & 255)).$((BASHPID & 255))
	mkdir "$recordings" "$session" "$copies"
	: >"$outputs"
	s3_request PUT "/$bucket"
	environment=("PATH=$PATH" "HOME=$case_dir" "TMPDIR=$case_dir"
		"CONFOMEET_S3_URL=$S3_ENDPOINT" "CONFOMEET_S3_BUCKET=$bucket"
		"CONFOMEET_S3_REGION=$S3_REGION" "CONFOMEET_S3_CLIENT_ID=$S3_ACCESS_KEY"
		"CONFOMEET_S3_CLIENT_SECRET=$S3_SECRET_KEY")
	backend_port=0
	start_backend
	"$@"
	expect "multipart uploads left open" 0 "$(open_uploads | wc -l)"
	expect_no_secrets
}

pids=() # of all that was started in the background

# Those of this shell that still run. (Not all of `pids`: the ids of those that have ended may be
# others' by now: ids come round within minutes while all tests run.)
end_processes() {
	local running
	exec 2>/dev/null
	running=$(jobs -pr)
	# shellcheck disable=SC2086  # a line each
	[ -z "$running" ] || kill -KILL $running || true
	wait
}

# Whether a process is this shell's, and has not ended.
is_running() {
	local line
	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
	# shellcheck disable=SC2086  # the fields behind its name, which may have blanks
	set -- ${line##*) }
	[ "$1" != Z ] && [ "$2" = "$BASHPID" ]
}

# Ends one of `pids`, and waits for that.
end_process() {
	! is_running "$1" || kill "$1" 2>/dev/null || true
	wait "$1" || true
}

# ---- expectations --------------------------------------------------------------------------------

fail() {
	echo "FAILED: $*"
	exit 1
}

# expect WHAT EXPECTED GOT
expect() {
	[ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
}

# expect_match WHAT REGULAR-EXPRESSION GOT
expect_match() {
	[[ $3 =~ $2 ]] || fail "$1: expected something like '$2', got '$3'"
}

# expect_at_most WHAT LIMIT GOT
expect_at_most() {
	[ "$3" -le "$2" ] || fail "$1: at most $2, got $3"
}

# expect_within SECONDS GOT: on a machine with work for as many processors as it has; on a busier one as much more.
expect_within() { expect_at_most "seconds" "$(as_busy_as_it_is "$1")" "$2"; }
as_busy_as_it_is() {
	local load processors
	read -r load _ </proc/loadavg
	processors=$(nproc)
	load=$(((${load%.*} + processors) / processors))
	echo $((load * $1))
}

# A short one that starts no process: nothing ever comes through this pipe. (With `sleep`, a test that
# waits for minutes takes so many process ids that those of its children come round again, and bash
# forgets how they ended.)
exec {silent_pipe}<> <(:)
pause() { read -r -t 0.02 -u "$silent_pipe" || true; }

# Sets $clock_s: seconds on a clock that goes on evenly when the time of day is set, as SECONDS
# does not.
read_clock() {
	read -r clock_s _ </proc/uptime
	clock_s=${clock_s%.*}
}

# wait_for SECONDS COMMAND...: until the command succeeds. It has four times as long: the seconds are those of a
# quiet machine.
wait_for() {
	local clock_s deadline
	read_clock
	deadline=$((clock_s + 4 * $1 + 1))
	until "${@:2}"; do
		read_clock
		[ "$clock_s" -lt "$deadline" ] || fail "not within 4 times $1 s: ${*:2}"
		pause
	done
}

# A secret that a case adds to those of the settings.
more_secrets=()

expect_no_secrets() {
	local secret found
	for secret in "$S3_SECRET_KEY" "$S3_OTHER_SECRET_KEY" "${more_secrets[@]}"; do
		found=$(grep -rlF -- "$secret" "$outputs" "$case_dir/backend.log" \
			"$recordings/.jibri-finalize" 2>/dev/null) || true
		expect "files with the secret $secret" '' "$found"
	done
}

# ---- files ---------------------------------------------------------------------------------------

# make_file PATH BYTES [COPY]: random bytes; the copy, by default of the same name, goes to $copies.
make_file() {
	local copy=$copies/${3:-${1##*/}}
	mkdir -p "$(dirname "$1")"
	head -c "$2" /dev/urandom >"$1"
	cp -- "$1" "$copy"
}

# All that is below a directory, with what tells whether it was touched.
state_of() {
	find "$1" -printf '%P %y %i %s %T@ %l\n' | LC_ALL=C sort
}

# ---- the program ---------------------------------------------------------------------------------

# finalize [NAME=VALUE...] ARGUMENT...: its exit code goes to $code, what it said to $output.
finalize() {
	start_finalize "$@"
	finish_finalize "$!"
}

# The same, without waiting: the process id is $!, until finish_finalize. With $output_file two can
# run at once.
start_finalize() {
	local variables=()
	while [[ ${1:-} =~ ^[A-Z][A-Z0-9_]*= ]]; do
		variables+=("$1")
		shift
	done
	: >"${output_file:-$case_dir/output}" # now: who waits for a line must not find the last run's
	env -i "${environment[@]}" "${variables[@]}" "${program_prefix[@]}" "$program" "$@" \
		>>"${output_file:-$case_dir/output}" 2>&1 </dev/null &
	pids+=("$!")
}

# Put before the program, such as /usr/bin/time.
program_prefix=()

# clock_is_wrong_by OFFSET: for the programs from now on, as +20m or -3d; clock_is_right ends it.
clock_is_wrong_by() {
	program_prefix=(env ASAN_OPTIONS=verify_asan_link_order=0
		"LD_PRELOAD=$build/tests/tools/clock-shift.so" "CLOCK_SHIFT=$1")
}
clock_is_right() { program_prefix=(); }
# Whether the last line of a program that failed is to say what to do.
advice=yes

# await_end PROCESS-ID: its exit code goes to $code.
await_end() {
	local clock_s deadline
	read_clock
	deadline=$((clock_s + ${limit:-120})) # some calls take longer
	while is_running "$1"; do
		read_clock
		[ "$clock_s" -lt "$deadline" ] || return 1
		pause
	done
	wait "$1" || code=$?
}

# finish_finalize PROCESS-ID [FILE-WITH-OUTPUT]
finish_finalize() {
	local file=${2:-$case_dir/output}
	code=0
	await_end "$1" 2>/dev/null || { # what the shell says of a killed process is of no interest
		cat "$file"
		fail "the program does not end"
	}
	output=$(<"$file")
	last_line=${output##*$'\n'}
	cat "$file" >>"$outputs"
	printf '%s\n' "exit code $code" "$output"
	[[ $output != *$'\e'* ]] || fail "an escape sequence on a pipe"
	case $code in
	0 | 64 | 137) ;;
	*) [ "$advice" = no ] || expect_match "the last line" 'what to do: [^ ]' "$last_line" ;;
	esac
}

# expect_code CODE [REGULAR-EXPRESSION-FOR-THE-LAST-LINE]
expect_code() {
	expect "exit code" "$1" "$code"
	[ $# = 1 ] || expect_match "the last line" "$2" "$last_line"
}

expect_all_gone() {
	[ ! -e "$session" ] || fail "left of the session: $(state_of "$session")"
}

# ---- the journal ---------------------------------------------------------------------------------

# Nothing while there is no journal.
query() {
	sqlite3 -readonly -cmd '.timeout 5000' "$journal" "$1" 2>/dev/null || true
}

parts_in_journal() { query 'SELECT count(*) FROM part'; }
has_parts() {
	local parts
	parts=$(parts_in_journal)
	[ "${parts:-0}" -ge "$1" ]
}

# ---- the backend ---------------------------------------------------------------------------------

# start_backend [--fail FAULT]...: on the same port as before, unless another program took it meanwhile.
start_backend() {
	launch_backend "$@" || {
		backend_port=0
		launch_backend "$@" || fail "the stand-in for the backend does not start"
	}
	environment+=("CONFOMEET_BASE_URL=http://127.0.0.1:$backend_port/meet")
}

launch_backend() {
	local ready
	rm -f "$case_dir/ready"
	mkfifo "$case_dir/ready"
	"$stand_in" --port "$backend_port" --log "$case_dir/backend.log" "$@" >"$case_dir/ready" &
	backend_pid=$!
	read -r -t 10 ready <"$case_dir/ready" || return 1
	pids+=("$backend_pid")
	rm "$case_dir/ready"
	backend_port=${ready#port=}
}

stop_backend() { end_process "$backend_pid"; }

restart_backend() {
	stop_backend
	start_backend "$@"
}

# notices [JQ-FILTER]: one line for each request that the backend got.
notices() { jq -r "${1:-.}" "$case_dir/backend.log"; }
accepted_notices() { notices 'select(.accepted)|.id' | wc -l; }
idempotency_keys() { notices '.headers["idempotency-key"]' | sort -u | wc -l; }

# ---- the bucket ----------------------------------------------------------------------------------

# s3_request METHOD PATH [CURL-ARGUMENT...]
s3_request() {
	curl -sS --fail --noproxy '*' --max-time 60 --aws-sigv4 aws:amz:us-east-1:s3 \
		--user "$S3_ACCESS_KEY:$S3_SECRET_KEY" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
		-X "$1" "${@:3}" "$S3_ENDPOINT$2"
}

# "<key> <upload id>", a line each.
open_uploads() {
	s3_request GET "/$bucket?uploads=" |
		{ grep -oE '<(Key|UploadId)>[^<]*' || true; } | sed 's/.*>//' | paste -d ' ' - -
}

# Keys, sizes, ETags and times, in that order: equal as long as nothing is stored again.
objects() {
	s3_request GET "/$bucket?list-type=2" |
		{ grep -oE '<(Key|LastModified|ETag|Size)>[^<]*' || true; } | sed 's/<[A-Za-z]*>//' |
		paste -s -d ' '
}

# object_header KEY HEADER: of a plain key; nothing where it has none.
object_header() {
	s3_request HEAD "/$bucket/$1" -I | tr -d '\r' | sed -n "s/^$2: *//Ip"
}

# Reader 1.
rclone_() {
	env -i "PATH=$PATH" "HOME=$case_dir" RCLONE_CONFIG=/notfound RCLONE_S3_PROVIDER=Other \
		"RCLONE_S3_ENDPOINT=$S3_ENDPOINT" "RCLONE_S3_REGION=$S3_REGION" \
		"RCLONE_S3_ACCESS_KEY_ID=$S3_ACCESS_KEY" "RCLONE_S3_SECRET_ACCESS_KEY=$S3_SECRET_KEY" \
		RCLONE_S3_FORCE_PATH_STYLE=true RCLONE_S3_NO_CHECK_BUCKET=true \
		rclone --quiet "$@"
}

keys() { rclone_ lsf -R --files-only ":s3:$bucket" | LC_ALL=C sort; }

# Reader 2: Debian's, even where another one comes first in PATH.
aws_() {
	env -i "PATH=/usr/bin:/bin:$PATH" "HOME=$case_dir" AWS_EC2_METADATA_DISABLED=true \
		"AWS_DEFAULT_REGION=$S3_REGION" AWS_CONFIG_FILE=/dev/null \
		AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_PAGER='' \
		"AWS_ACCESS_KEY_ID=$S3_ACCESS_KEY" "AWS_SECRET_ACCESS_KEY=$S3_SECRET_KEY" \
		aws --endpoint-url "$S3_ENDPOINT" "$@"
}

# Reader 3: libs3, with the old signature and only plain keys.
libs3_() {
	env -i "PATH=$PATH" "S3_HOSTNAME=${S3_ENDPOINT#http://}" "S3_ACCESS_KEY_ID=$S3_ACCESS_KEY" \
		"S3_SECRET_ACCESS_KEY=$S3_SECRET_KEY" s3 -u "$@"
}

# expect_object KEY FILE: the object has the file's bytes.
expect_object() {
	rclone_ cat ":s3:$bucket/$1" | cmp - "$2" || fail "the object $1 is not the file $2"
}

# expect_object_for_all KEY FILE CONTENT-TYPE: by three readers, and with type and mark.
expect_object_for_all() {
	local description
	expect_object "$1" "$2"
	rm -f "$case_dir/got"
	description=$(aws_ s3api get-object --bucket "$bucket" --key "$1" "$case_dir/got")
	cmp "$case_dir/got" "$2" || fail "AWS CLI reads something else at $1"
	expect "content type of $1" "$3" "$(jq -r .ContentType <<<"$description")"
	expect_match "mark of $1" '^[0-9a-f]{32}$' \
		"$(jq -r '.Metadata["jibri-mark"]' <<<"$description")"
	[[ $1 =~ ^[A-Za-z0-9._/-]+$ ]] || return 0
	rm -f "$case_dir/got"
	libs3_ get "$bucket/$1" "filename=$case_dir/got"
	cmp "$case_dir/got" "$2" || fail "libs3 reads something else at $1"
}

# ---- the sink ------------------------------------------------------------------------------------

# start_sink ARGUMENT...: an S3 server that keeps no bytes; its URL goes to $sink_url. On an address of the
# case's own, or on $sink_address: while it is down no other program gets its port, and our requests.
start_sink() {
	local ready
	mkfifo "$case_dir/ready"
	"$sink_program" --address "${sink_address:-$own_address}" --port 0 "$@" >"$case_dir/ready" 2>"$case_dir/sink.log" &
	pids+=("$!")
	read -r -t 10 ready <"$case_dir/ready" || fail "the sink does not start"
	rm "$case_dir/ready"
	export sink_url=http://${sink_address:-$own_address}:${ready#port=}
}
