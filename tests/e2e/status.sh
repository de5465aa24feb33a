#!/usr/bin/env bash
#
# status.sh - what the tests of the watcher's status server have in common: a watcher on a free port, with
# a journal that has as many recordings as are asked for. status_*.sh and monitoring.sh source it.
#
#   E2E_BUILD   the build directory

# shellcheck disable=SC2034  # used by those who source it
: "${E2E_BUILD:?is to be the build directory}"
build=$(cd "$E2E_BUILD" && pwd)
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
program=$build/finalize/jibri-finalize
watcher=$build/watcher/jibri-watcher
shopt -s inherit_errexit

work=$(mktemp -d "${TMPDIR:-/tmp}/jibri-status.XXXXXX")

clean_up() {
	local running
	running=$(jobs -pr)
	# shellcheck disable=SC2086  # a line each
	[ -z "$running" ] || kill $running 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap clean_up EXIT

fail() {
	printf 'not ok - %s\n' "$*" >&2
	exit 1
}

ok() { printf 'ok - %s\n' "$*"; }

# need PROGRAM... - exit code 77: CTest counts it as skipped. In CI everything has to be there.
need() {
	local tool missing=''
	for tool; do
		command -v "$tool" >/dev/null || missing+=" $tool"
	done
	[ -n "$missing" ] || return 0
	echo "not installed:$missing; run scripts/install-deps"
	[ -z "${CI:-}" ] || exit 1
	exit 77
}

# wait_for SECONDS COMMAND... - until it succeeds, on a busy machine up to four times as long. By a clock that
# goes on evenly when the time of day is set.
wait_for() {
	local now until
	read -r now _ </proc/uptime
	until=$((${now%.*} + 4 * $1))
	shift
	until "$@" >/dev/null 2>&1; do
		read -r now _ </proc/uptime
		[ "${now%.*}" -lt "$until" ] || return 1
		sleep 0.1
	done
}

free_port() {
	local port
	for _ in {1..50}; do
		port=$((20000 + RANDOM % 20000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
			echo "$port"
			return 0
		}
	done
	fail "no port is free"
}

# settings NAME=value... - what is common to all; writes $work/finalize.env.
write_settings() {
	recordings=$work/recordings
	journal=$recordings/.jibri-finalize/journal.db
	mkdir -p "$recordings"
	printf '%s\n' CONFOMEET_S3_URL=http://127.0.0.1:9 CONFOMEET_S3_BUCKET=recordings \
		CONFOMEET_S3_CLIENT_ID=id CONFOMEET_S3_CLIENT_SECRET=do-not-show-this CONFOMEET_NOTICE=off \
		CONFOMEET_RECORDINGS_DIR="$recordings" JIBRI_INSTANCE_ID=jibri-7 \
		CONFOMEET_S3_CONNECT_TIMEOUT=1s CONFOMEET_S3_RETRY_FOR=1s "$@" >"$work/finalize.env"
}

# launch_watcher - by the settings that were written last. The log of the one before is gone when it returns: who
# waits for a line there must not find that one's.
launch_watcher() {
	: >"$work/watcher.log"
	env -i PATH="$PATH" "$watcher" --config "$work/finalize.env" >>"$work/watcher.log" 2>&1 &
	watcher_pid=$!
}

# start_watcher NAME=value... - $url is where it answers.
start_watcher() {
	local tries port
	for tries in {1..10}; do
		port=${port_wanted:-$(free_port)}
		write_settings "CONFOMEET_STATUS_LISTEN=127.0.0.1:$port" "$@"
		launch_watcher
		url=http://127.0.0.1:$port
		if wait_for 10 grep -q 'status page and metrics at' "$work/watcher.log"; then
			wait_for 10 curl -sf "$url/healthz" || fail "it does not answer"
			return 0
		fi
		kill "$watcher_pid" 2>/dev/null
	done
	cat "$work/watcher.log" >&2
	fail "the watcher did not start ($tries tries)"
}

stop_watcher() {
	kill "$watcher_pid"
	wait "$watcher_pid" || true
}

# start_ready NAME PROGRAM... - one that prints "port=N" when it is ready; the port goes to $port.
start_ready() {
	local name=$1 ready
	shift
	mkfifo "$work/$name.ready"
	"$@" >"$work/$name.ready" 2>"$work/$name.log" &
	read -r -t 20 ready <"$work/$name.ready" || fail "$name does not start"
	rm "$work/$name.ready"
	port=${ready#port=}
}

# start_sink - an S3 server that keeps no bytes; its settings go to $s3.
start_sink() {
	start_ready sink "$build/tests/tools/sink" --port 0
	s3=CONFOMEET_S3_URL=http://127.0.0.1:$port
}

# make_session NAME MIB - a session directory with a recording of random bytes: $session.
make_session() {
	session=$recordings/$1
	mkdir -p "$session"
	# As little as makes a whole mp4: an empty moov, and an mdat up to the end.
	{
		printf '\0\0\0\10moov\0\0\0\0mdat'
		head -c "$(($2 * 1048576 - 16))" /dev/urandom
	} >"$session/12345_2026-11-24-10-00-0${#1}.mp4"
	printf '{"meeting_url":"https://meet.example.org/12345?jwt=do-not-show-this","participants":[],"share":true}' \
		>"$session/metadata.json"
}

# finalize SESSION - by the settings that were written last; $code is its exit code.
finalize() {
	code=0
	env -i PATH="$PATH" "$program" --config "$work/finalize.env" "$1" >"$work/finalize.log" 2>&1 || code=$?
}

sql() { sqlite3 -bail -cmd '.timeout 10000' "$journal" "$@"; }

# make_journal COUNT - a journal with COUNT recordings in all states, most of them done.
make_journal() {
	write_settings
	env -i PATH="$PATH" "$program" --config "$work/finalize.env" check >/dev/null 2>&1 || true
	[ -e "$journal" ] || fail "no journal was made"
	seq -f "$recordings/s%.0f" "$1" | xargs -r mkdir # what is not safe has its directory
	sql "
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
INSERT INTO recording (id, directory, session_id, state, tries, created_at, updated_at, next_try_at, last_error,
	meeting_url, share)
SELECT i, CAST('$recordings/s' || i AS BLOB), CAST('s' || i AS BLOB),
	CASE WHEN i % 50 = 1 THEN 3 WHEN i % 50 = 2 THEN 2 WHEN i % 50 = 3 THEN 5 WHEN i % 50 = 4 THEN 6 ELSE 4 END,
	1 + i % 3, unixepoch() - ($1 - i + 1) * 600, unixepoch() - 60, CASE WHEN i % 50 IN (1, 2, 3) THEN unixepoch() + 3600 ELSE 0 END,
	CASE WHEN i % 50 = 1 THEN 'S3 refused to store 12345_x.mp4: AccessDenied (403)'
		WHEN i % 50 = 2 THEN 'S3 answered UploadPart with 503: slow down' ELSE '' END,
	'https://meet.example.org/' || (10000 + i), -1 FROM n WHERE $1 > 0;
INSERT INTO file (id, recording_id, path, media, incomplete, inode, size_bytes, mtime_ns, object_bytes, state,
	mark, key, key_suffix, phase, phase_at, upload_id, part_size_bytes, etag, uploaded_at, notice, backend_row, safe_at,
	removed_at, last_error)
SELECT id, id, CAST((10000 + id) || '_2026-11-24-10-00-00.mp4' AS BLOB), 1, 0, id, 800000000, created_at * 1000000000,
	800000000, CASE WHEN state = 4 THEN 3 ELSE 1 END, printf('%032x', id), (10000 + id) || '_2026-11-24-10-00-00-' || id || '.mp4',
	0, CASE WHEN state IN (2, 5) THEN 3 ELSE 0 END, created_at, CASE WHEN state IN (2, 5) THEN 'u' || id ELSE '' END, 8388608, '',
	0, 0, 0, CASE WHEN state = 4 THEN created_at + 90 ELSE 0 END, CASE WHEN state = 4 THEN created_at + 91 ELSE 0 END, ''
	FROM recording;
INSERT INTO part (file_id, number, length, etag, acknowledged_at)
WITH RECURSIVE p(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM p WHERE k < 40)
SELECT recording.id, k, 8388608, 'e', unixepoch() - 41 + k FROM recording, p WHERE state IN (2, 5);
INSERT INTO event (recording_id, file_id, at, text) SELECT id, NULL, created_at, 'a run begins' FROM recording;
INSERT INTO event (recording_id, file_id, at, text)
SELECT id, id, created_at + 90, 'uploaded: confirmed in the bucket' FROM recording WHERE state = 4;
"
}
