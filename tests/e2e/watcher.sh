#!/usr/bin/env bash
#
# watcher.sh - what the tests of jibri-watcher have in common: e2e.sh, the watcher, and a writer that
# stands in for ffmpeg.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

watcher=$build/watcher/jibri-watcher
media=12345_2026-11-24-10-00-00.mp4

# ---- what cases are made of ----------------------------------------------------------------------

watcher_options=()

# start_watcher [NAME=VALUE...]: its log is $case_dir/watcher.log.
start_watcher() {
	local begun
	: >>"$case_dir/watcher.log"
	begun=$(times_watching) # by earlier ones, whose log goes on
	run_apart env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" \
		CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_LOG_LEVEL=debug CONFOMEET_LIVE_RATE_LIMIT=0 CONFOMEET_RETRY_MIN=2s "$@" \
		"$watcher" "${watcher_options[@]}" >>"$case_dir/watcher.log" 2>&1 </dev/null &
	watcher_pid=$!
	pids+=("$watcher_pid")
	wait_for 10 watches_again "$begun"
}

# run_apart COMMAND...: to be put into the background; does not keep the writer from seeing its input's
# end.
run_apart() {
	[ -z "${writer:-}" ] || exec {writer}>&-
	exec "$@"
}

# worker_pids [KIND]: of the watcher, those that are at it now.
worker_pids() {
	local pid
	# shellcheck disable=SC2013  # one line of words
	for pid in $(cat "/proc/$watcher_pid/task/$watcher_pid/children" 2>/dev/null); do
		tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -e "--work ${1:-}" && echo "$pid"
	done || true
}
has_worker() { [ -n "$(worker_pids "$1")" ]; }

# Not those that have ended and that no process waits for.
is_alive() { grep -qs '^State:[[:space:]]*[^ZX]' "/proc/$1/status"; }

times_watching() { grep -c ': watching' "$case_dir/watcher.log" || true; }
watches_again() { [ "$(times_watching)" -gt "$1" ]; }
watcher_says() { grep -qs -e "$1" "$case_dir/watcher.log"; }

finalize_all() {
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
}

stop_watcher() {
	local code=0 clock_s began
	read_clock
	began=$clock_s
	kill "$watcher_pid"
	wait "$watcher_pid" || code=$?
	expect "the watcher's exit code" 0 "$code"
	read_clock
	expect_within 6 $((clock_s - began))
	cat "$case_dir/watcher.log" >>"$outputs"
}

# Jibri's writer, as far as a file's boxes go: appends to an mdat whose size it patches when it ends,
# behind which it writes the moov. Reads what to do: a number of bytes, "moov", or "shuffle" (bytes
# in the middle are others at the end, as when a container moves its index to the front).
# shellcheck disable=SC2016  # Perl's variables
writer_program='
	open(my $out, "+>", $ARGV[0]) or die; $out->autoflush(1);
	open(my $random, "<", "/dev/urandom") or die;
	print $out pack("Na4a4Na4a4a4a4", 32, "ftyp", "isom", 512, "isom", "iso2", "avc1", "mp41");
	print $out pack("Na4Na4", 8, "free", 0, "mdat");
	my $size = 8;
	while (<STDIN>) {
		if (/^(\d+)$/) {
			for (my $left = $1; $left > 0; ) {
				my $n = $left > 65536 ? 65536 : $left;
				read($random, my $bytes, $n); print $out $bytes; $left -= $n;
			}
			$size += $1;
		} elsif (/^moov$/) {
			print $out pack("Na4", 1000, "moov") . ("m" x 992);
			seek($out, 40, 0); print $out pack("N", $size);
		} elsif (/^shuffle$/) {
			seek($out, 6000000, 0); print $out "x" x 1000;
		}
	}'

# start_writer FILE: its input is the descriptor $writer, its process $writer_pid.
start_writer() {
	rm -f "$case_dir/to-writer"
	mkfifo "$case_dir/to-writer"
	# Nor may it have the inputs of others open: it would keep them from ending.
	perl -MIO::Handle -MPOSIX=close -e 'POSIX::close($_) for 3 .. 255;' -e "$writer_program" "$1" \
		<"$case_dir/to-writer" &
	writer_pid=$!
	pids+=("$writer_pid")
	exec {writer}>"$case_dir/to-writer"
}

begin_recording() {
	mkdir -p "$session"
	start_writer "$session/$media"
}
grow() { echo $(($1 * MIB)) >&"$writer"; }

# end_writer [COMMAND...]: that it is to follow before it ends.
end_writer() {
	[ $# = 0 ] || printf '%s\n' "$@" >&"$writer"
	exec {writer}>&-
	writer=''
	wait "$writer_pid"
}

end_recording() {
	end_writer "$@"
	cp "$session/$media" "$copies/$media"
}

is_safe() {
	[ "$(query "SELECT count(*) FROM recording WHERE state = 4")" = "${1:-1}" ]
}

is_worked_on() { [ "$(query 'SELECT state FROM recording')" = 1 ]; }
parts_sent() { [ "$(parts_in_journal)" = "$1" ]; }

# ---- a server with habits -------------------------------------------------------------------------

# start_bucket [OPTION...]: tools/bucket.py, with the habits of some server; its port is $bucket_port.
start_bucket() {
	local ready
	rm -f "$case_dir/bucket.ready"
	mkfifo "$case_dir/bucket.ready"
	python3 -B "$tests/tools/bucket.py" "$@" >"$case_dir/bucket.ready" 2>"$case_dir/bucket.log" &
	bucket_pid=$!
	pids+=("$bucket_pid")
	read -r -t 20 ready <"$case_dir/bucket.ready" || fail "bucket.py does not start"
	# shellcheck disable=SC2034  # used by those who source it
	bucket_port=${ready#port=}
}

# ---- the sink, which knows what was sent how often -----------------------------------------------

sink_lines() { awk -v kind="$1" '$1 == kind' "$case_dir/sink.journal"; }
sink_parts() { sink_lines P | cut -d ' ' -f 3 | paste -s -d ' '; }

use_sink() {
	start_sink --journal "$case_dir/sink.journal" "$@"
	environment+=("CONFOMEET_S3_URL=$sink_url")
}

has_upload() { [ "$(query "SELECT count(*) FROM file WHERE upload_id <> ''")" = 1 ]; }
