#!/usr/bin/env bash
#
# crash_sweep.sh - stops jibri-finalize with SIGKILL at every instant that matters, one at a time,
# and then at random ones, runs it again until it is done, and checks each time that nothing was
# lost, doubled or left behind.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/faults/crash_sweep.sh [--all] [--seed N] [--jobs N] [--at N[,N]...]
#
#   --all     every instant, and 200 random ones; else a sample of them, and 30 (for CI)
#   --seed    of the sample and of the random instants; printed, by default another each time
#   --jobs    recordings tried side by side, each with a journal of its own (3)
#   --at      only this: killed at event N, the next run at the next N, and so on
#
# An instant is an event as kill_at.c counts them: around each write to the journal, each removal,
# each request, and at each reply. The random ones are, in turn, some time after the start, and two
# kills in a row at random events. The recording has three parts and a metadata.json.
#
# Ends with a line that says how much was tried, exit code 0 when no promise was broken.

set -euo pipefail

sample=36 random_count=30 all=no seed=$RANDOM$RANDOM jobs=3 only=''
while [ $# -gt 0 ]; do
	case $1 in
	--all) all=yes random_count=200 ;;
	--seed) seed=$2 && shift ;;
	--jobs) jobs=$2 && shift ;;
	--at) only=$2 && shift ;;
	*)
		echo "usage: tests/faults/crash_sweep.sh [--all] [--seed N] [--jobs N] [--at N[,N]...]" >&2
		exit 64
		;;
	esac
	shift
done

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/e2e.sh"

preload=$build/tests/tools/kill-at.so
part_bytes=$((5 * MIB))
media_bytes=$((2 * part_bytes + 70000))
max_runs=5

# ---- one run of the program ----------------------------------------------------------------------

# Sets $code. What the program says is added to $dir/output.
run_program() { # run_program [NAME=VALUE]...
	start_program "$@"
	code=0
	wait "$!" 2>/dev/null || code=$?
}

start_program() {
	echo "--- run: $*" >>"$dir/output"
	env -i "${environment[@]}" "$@" "$program" "$session" >>"$dir/output" 2>&1 </dev/null &
}

run_killed_at_event() {
	rm -f "$dir/events"
	run_program "LD_PRELOAD=$preload" "KILL_AT=$1" "KILL_EVENTS=$dir/events"
}

run_killed_after_ms() {
	start_program
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
	kill -KILL "$!" 2>/dev/null || true
	code=0
	wait "$!" 2>/dev/null || code=$?
}

# ---- what the world holds ------------------------------------------------------------------------

# Reads the journal without touching it: a copy, as it was left.
query_copy() {
	local file
	rm -rf "$dir/copy"
	mkdir "$dir/copy"
	for file in "$dir"/recordings/.jibri-finalize/journal.db{,-wal,-journal}; do
		[ ! -e "$file" ] || cp "$file" "$dir/copy"
	done
	[ -e "$dir/copy/journal.db" ] || return 0
	sqlite3 "$dir/copy/journal.db" "$1"
}

expect_intact_journal() {
	local verdict
	verdict=$(query_copy 'PRAGMA integrity_check' 2>&1) || true
	expect "integrity of the journal $1" ok "${verdict:-ok}"
}

# Of the media file, as the journal says; nothing before it has a row.
notice_state() { query_copy 'SELECT notice FROM file WHERE media' 2>/dev/null || true; }

notices_of_this() { grep -F "\"fileName\":\"$media\"" "$backend_log" || true; }
accepted() { notices_of_this | grep -c '"accepted":true' || true; }

s3_get() { # s3_get -o FILE PATH [-o FILE PATH]...
	local arguments=() urls=("$@") i
	for ((i = 0; i < $#; i += 3)); do
		arguments+=(-o "${urls[i + 1]}" "$S3_ENDPOINT${urls[i + 2]}")
	done
	curl -sS --noproxy '*' --max-time 60 --aws-sigv4 aws:amz:us-east-1:s3 -D "$dir/headers" \
		--user "$S3_ACCESS_KEY:$S3_SECRET_KEY" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
		"${arguments[@]}"
}

values() { { grep -oE "<$1>[^<]*" "$2" || true; } | sed 's/.*>//'; }

# ---- promises ------------------------------------------------------------------------------------

# What is gone from the disk is in the bucket, and the backend knows it.
expect_nothing_lost() {
	if [ ! -e "$session/$media" ]; then
		s3_get -o "$dir/got" "/$bucket/$media"
		cmp "$dir/got" "$fixture" || fail "the media file is gone, and not in the bucket"
		[ "$(accepted)" -ge 1 ] || fail "the media file is gone, and the backend does not know it"
	fi
	if [ ! -e "$session/metadata.json" ]; then
		s3_get -o "$dir/got" "/$bucket/$name/metadata.json"
		cmp "$dir/got" "$work/metadata.json" || fail "metadata.json is gone, and not in the bucket"
	fi
}

expect_done() {
	local marks
	# The journal is whole each time: nothing is to be told from the bucket alone, or to get another key.
	if grep -E 'journal was lost|set aside|is another object' "$dir/output"; then
		fail "it did not know its own work again"
	fi
	[ ! -e "$session" ] || fail "left of the session: $(state_of "$session")"
	expect_intact_journal "at the end"
	expect "files and recordings that are not done" '' \
		"$(query_copy 'SELECT path FROM file WHERE state <> 3 OR removed_at = 0 OR upload_id <> ""
			UNION ALL SELECT directory FROM recording WHERE state <> 4')"
	expect "parts left in the journal" 0 "$(query_copy 'SELECT count(*) FROM part')"
	marks=$(query_copy 'SELECT mark FROM file ORDER BY mark')
	s3_get -o "$dir/media" "/$bucket/$media" -o "$dir/metadata" "/$bucket/$name/metadata.json" \
		-o "$dir/objects" "/$bucket?list-type=2&prefix=${name%_*}_" \
		-o "$dir/uploads" "/$bucket?prefix=${name%_*}_&uploads="
	cmp "$dir/media" "$fixture" || fail "the object is not the media file"
	cmp "$dir/metadata" "$work/metadata.json" || fail "the object is not metadata.json"
	expect "objects" "$media $name/metadata.json" "$(values Key "$dir/objects" | paste -s -d ' ')"
	expect "multipart uploads left behind" '' "$(values UploadId "$dir/uploads")"
	expect "marks of the objects" "$marks" \
		"$(sed -nE 's/^x-amz-meta-jibri-mark: *([0-9a-f]+).*/\1/ip' "$dir/headers" | sort)"
	expect "Idempotency-Keys" 1 \
		"$(notices_of_this | grep -o '"idempotency-key":"[^"]*"' | sort -u | wc -l)"
}

# What status, metrics and events say is true: after a kill, and at the end. After a kill the journal may
# say that the recording is worked on: the next run finds out.
expect_no_lies() { # expect_no_lies [--final]
	local repeat=()
	[ "$unknown" = 0 ] || repeat=(--may-repeat)
	env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$dir/recordings" python3 -B "$tests/faults/oracle.py" \
		--program "$program" --recordings "$dir/recordings" --original "$name/$media=$fixture" \
		--original "$name/metadata.json=$work/metadata.json" --bucket "$S3_ENDPOINT/$bucket" \
		--aws-key "$S3_ACCESS_KEY:$S3_SECRET_KEY" --backend "$backend_log" "${repeat[@]}" "$@" ||
		fail "the oracle says so"
}

# ---- one recording -------------------------------------------------------------------------------

# The notice was sent, and the journal does not know what became of it: it may have to come again.
fate_of_notice_is_unknown() {
	[ "$(notice_state)" = 2 ] || return 1
	[ ! -e "$dir/events" ] || grep -q ' of notice sent' "$dir/events"
}

# What became of the run that was to be killed.
look_after_kill() {
	case $code in
	137) killed=$((killed + 1)) ;;
	0) return 0 ;; # it was done before that instant
	*) fail "exit code $code of a run that was to be killed" ;;
	esac
	expect_intact_journal "after the kill"
	if fate_of_notice_is_unknown; then unknown=$((unknown + 1)); fi
	expect_nothing_lost
	expect_no_lies --killed
}

# try NUMBER HOW [WHEN]...: one recording, with a kill at each WHEN, then to the end.
try() {
	local number=$1 how=$2 when
	local killed=0 unknown=0 notices runs=0 code name media session
	dir=$work/$number
	name=$((100000 + number))_session
	media=$((100000 + number))_2024-04-23-15-04-05.mp4
	session=$dir/recordings/$name
	mkdir -p "$session"
	cp "$fixture" "$session/$media"
	cp "$work/metadata.json" "$session"
	for when in "${@:3}"; do
		[ -e "$session" ] || break
		if [ "$how" = at_event ]; then run_killed_at_event "$when"; else run_killed_after_ms "$when"; fi
		look_after_kill
	done
	code=75
	while [ "$code" != 0 ]; do
		runs=$((runs + 1))
		[ "$runs" -le "$max_runs" ] || fail "not done after $max_runs runs, the last one's exit code is $code"
		run_program
		case $code in
		0 | 75) ;;
		*) fail "exit code $code" ;;
		esac
	done
	expect_done
	[ "$all" = no ] || expect_no_lies --final --exit-code 0
	notices=$(accepted)
	[ "$notices" -ge 1 ] || fail "the backend accepted no notice"
	expect_at_most "accepted notices" $((1 + unknown)) "$notices"
	s3_request DELETE "/$bucket/$media"
	s3_request DELETE "/$bucket/$name/metadata.json"
	echo "$killed $((notices - 1)) $runs" >"$work/$number.result"
	rm -rf "$dir"
}

# A try in the background.
start_try() {
	local number=$((++try_count))
	while [ "$(jobs -rp | wc -l)" -gt "$jobs" ]; do wait -n || true; done # one is the backend
	labels[number]="$*"
	(
		set -E
		trap 'echo "line $LINENO failed: $BASH_COMMAND"' ERR
		try "$number" "$@"
	) >"$work/$number.log" 2>&1 &
	[ $((number % 100)) != 0 ] || free_space
}

# The server keeps the bytes of removed objects for hours, unless it is told to collect them.
free_space() {
	radosgw-admin -c "$S3_STATE/ceph.conf" gc process --include-all >/dev/null 2>&1 || true
}

finish_tries() {
	local pid
	for pid in $(jobs -p); do
		[ "$pid" = "$backend_pid" ] || wait "$pid" || true
	done
}

# ---- all of them ---------------------------------------------------------------------------------

# Without a kill: the number of events, and how long it takes.
count_events() {
	local began=${EPOCHREALTIME/[.,]/}
	dir=$work/0 number=0 code=0
	session=$dir/recordings/100000_session
	mkdir -p "$session"
	cp "$fixture" "$session/100000_2024-04-23-15-04-05.mp4"
	cp "$work/metadata.json" "$session"
	run_killed_at_event 0
	[ "$code" = 0 ] || { cat "$dir/output" && fail "it does not work without a kill either"; }
	run_ms=$(((${EPOCHREALTIME/[.,]/} - began) / 1000))
	cp "$dir/events" "$work/events"
	event_count=$(wc -l <"$work/events")
	part_count=$(grep -c ' all of part [0-9]* sent' "$work/events")
	expect "parts" 3 "$part_count"
}

sweep() {
	local step=1 n
	[ "$all" = yes ] || step=$(((event_count + sample - 1) / sample))
	[ "$step" -ge 1 ] || step=1
	for ((n = 1 + RANDOM % step; n <= event_count; n += step)); do
		start_try at_event "$n"
		swept=$((swept + 1))
	done
}

try_random() {
	local i
	for ((i = 0; i < random_count; i++)); do
		if [ $((i % 2)) = 0 ]; then
			start_try after_ms $((RANDOM % (run_ms + run_ms / 10 + 1)))
		else
			start_try at_event $((1 + RANDOM % event_count)) $((1 + RANDOM % event_count))
		fi
	done
}

report() {
	local number result violations=0 kills=0 doubles=0 reruns=0 more
	for ((number = 1; number <= try_count; number++)); do
		if [ ! -e "$work/$number.result" ]; then
			violations=$((violations + 1))
			echo "VIOLATED, killed ${labels[number]//_/ }:" | tee -a "$work/failures"
			grep -m 1 '^FAILED: ' "$work/$number.log" >>"$work/failures" || true
			sed 's/^/    /' "$work/$number.log"
			[ ! -e "$work/$number/events" ] || sed -n '$s/^/    the last event: /p' "$work/$number/events"
			sed 's/^/    /' "$work/$number/output"
			[ -z "${E2E_KEEP:-}" ] || cp -a "$work/$number" "$state/crash-$$-$number"
			continue
		fi
		read -r -a result <"$work/$number.result"
		kills=$((kills + result[0]))
		doubles=$((doubles + result[1]))
		more=$((result[2] - 1))
		reruns=$((reruns + more))
		[ "${result[1]}" = 0 ] ||
			echo "a second notice, of the same Idempotency-Key: killed ${labels[number]//_/ }"
		[ "$more" = 0 ] || echo "$more more runs were needed: killed ${labels[number]//_/ }"
	done
	expect_no_uploads || violations=$((violations + 1))
	echo "crash sweep: $swept of $event_count instants and $((try_count - swept)) random ones" \
		"(seed $seed) tried in $SECONDS s, $kills kills; $violations violations," \
		"$doubles notices accepted twice (each killed between the backend's commit and ours)," \
		"$reruns additional runs"
	[ "$violations" = 0 ]
}

expect_no_uploads() {
	local left
	left=$(open_uploads)
	[ -z "$left" ] || { echo "VIOLATED, multipart uploads left in the bucket: $left" | tee -a "$work/failures" && return 1; }
}

RANDOM=$seed
SECONDS=0
use_server
case_dir=$work
backend_log=$work/backend.log
bucket=crash-$$-$RANDOM
fixture=$work/media.mp4
labels=() try_count=0 swept=0
head -c "$media_bytes" /dev/urandom >"$fixture"
echo '{"meeting_url":"https://meet.example.org/12345","participants":[],"share":true}' \
	>"$work/metadata.json"
backend_port=0
start_backend
s3_request PUT "/$bucket"
environment=("PATH=$PATH" "HOME=$work" "ASAN_OPTIONS=verify_asan_link_order=0"
	"CONFOMEET_S3_URL=$S3_ENDPOINT" "CONFOMEET_S3_BUCKET=$bucket"
	"CONFOMEET_S3_REGION=$S3_REGION" "CONFOMEET_S3_CLIENT_ID=$S3_ACCESS_KEY"
	"CONFOMEET_S3_CLIENT_SECRET=$S3_SECRET_KEY" "CONFOMEET_S3_PART_SIZE=$part_bytes"
	"CONFOMEET_BASE_URL=http://127.0.0.1:$backend_port/meet")
count_events
if [ -n "$only" ]; then
	IFS=, read -r -a instants <<<"$only"
	start_try at_event "${instants[@]}"
else
	sweep
	try_random
fi
finish_tries
code=0
report || code=1
end_processes
exit "$code"
