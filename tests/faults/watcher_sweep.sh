#!/usr/bin/env bash
#
# watcher_sweep.sh - stops jibri-watcher with SIGKILL at random instants while recordings grow,
# starts it again each time, and checks that nothing was lost, nothing was sent twice but what was
# under way at a kill, and no process was left at work.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/faults/watcher_sweep.sh [--seed N] [--kills N] [PATTERN]
#
#   --seed   of the instants; printed, by default another each time
#   --kills  in all, 50 by default
#   PATTERN  only the cases whose name matches, as in e2e.sh
#
# Every other kill takes the watcher's workers with it, as the end of a container does.

seed=$RANDOM$RANDOM kills=50
while [ $# -gt 0 ]; do
	case $1 in
	--seed) seed=$2 && shift ;;
	--kills) kills=$2 && shift ;;
	-*)
		echo "usage: tests/faults/watcher_sweep.sh [--seed N] [--kills N] [PATTERN]" >&2
		exit 64
		;;
	*) break ;;
	esac
	shift
done

# shellcheck source=tests/e2e/watcher.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/watcher.sh"

# How long a watcher lives: a sanitizer's program takes its time to begin.
longest_ms=600
[ -z "${SANITIZED:-}" ] || longest_ms=1100

# ---- one kill --------------------------------------------------------------------------------------

launch_watcher() {
	run_apart env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" CONFOMEET_S3_PART_SIZE=5MiB \
		CONFOMEET_LIVE_RATE_LIMIT=0 CONFOMEET_RETRY_MIN=1s CONFOMEET_S3_PARALLEL=4 "$@" \
		"$watcher" >>"$case_dir/watcher.log" 2>&1 </dev/null &
	watcher_pid=$!
	pids+=("$watcher_pid")
}

# kill_after_some_time: of the watcher's start. What is left of it ends by itself: a request that must not be cut off has 4 s, a busy machine is slow.
kill_after_some_time() {
	local ms=$((50 + RANDOM % longest_ms)) workers pid
	sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
	workers=$(worker_pids)
	kill -KILL "$watcher_pid"
	# shellcheck disable=SC2086  # none, or more than one
	[ $((kills_made % 2)) = 0 ] || [ -z "$workers" ] || kill -KILL $workers 2>/dev/null || true
	wait "$watcher_pid" 2>/dev/null || true
	for pid in $workers; do
		wait_for 20 is_over "$pid"
	done
	kills_made=$((kills_made + 1))
	echo "$ms" >>"$work/kills"
	note_kill
}

kills_so_far() { if [ -e "$work/kills" ]; then wc -l <"$work/kills"; else echo 0; fi; }

is_over() { ! is_alive "$1"; }

# Of the journal after a kill, for the account at the end: the parts that it does not know, and whether
# an upload's id may be unknown.
note_kill() {
	: >"$case_dir/kill.$kills_made"
	[ -s "$journal" ] || return 0 # it was killed before there was one
	expect "integrity after kill $kills_made" ok "$(query_copy 'PRAGMA integrity_check')"
	[ "$(query_copy 'PRAGMA user_version')" != 0 ] || return 0 # or before it was complete
	query_copy "SELECT 'held ' || number FROM part;
		SELECT 'creating ' || phase FROM file WHERE phase = 2" >"$case_dir/kill.$kills_made"
}

# Reads the journal as it was left: no lock is in the way, nothing is made beside it.
query_copy() {
	local file
	rm -rf "$case_dir/copy"
	mkdir "$case_dir/copy"
	for file in "$journal" "$journal"-wal "$journal"-journal; do
		[ ! -e "$file" ] || cp "$file" "$case_dir/copy"
	done
	sqlite3 "$case_dir/copy/journal.db" "$1"
}

watch_and_kill() { # watch_and_kill [NAME=VALUE...]
	launch_watcher "$@"
	kill_after_some_time
}

# ---- the account -----------------------------------------------------------------------------------

# What the sink got of each part, compared with what the journal knew at the kills.
expect_nothing_twice_but_what_was_under_way() {
	local count number unknown repeats=0
	while read -r count number; do
		[ "$count" -gt 1 ] || continue
		repeats=$((repeats + count - 1))
		unknown=$({ grep -L -x "held $number" "$case_dir"/kill.* || true; } | wc -l)
		expect_at_most "repeats of part $number, which was under way at $unknown kills" "$unknown" \
			$((count - 1))
	done < <(sink_parts | tr ' ' '\n' | sort -n | uniq -c)
	expect_at_most "repeated parts" $((kills_made + ${more_repeats:-0})) "$repeats"
	echo "$repeats of $(sink_parts | wc -w) parts were sent again after $kills_made kills"
}

expect_one_upload() {
	local unknown
	unknown=$({ grep -l -x 'creating 2' "$case_dir"/kill.* || true; } | wc -l)
	expect_at_most "uploads begun, of which $unknown may have been lost" $((1 + unknown)) \
		"$(sink_lines C | wc -l)"
	expect "uploads left open" "$(sink_lines C | wc -l)" \
		$(($(sink_lines D | wc -l) + $(sink_lines A | wc -l)))
}

expect_all_well() {
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "integrity" ok "$(query 'PRAGMA integrity_check')"
	expect "recordings that are not done" 0 "$(query 'SELECT count(*) FROM recording WHERE state <> 4')"
	expect_all_gone
	! grep -E 'set aside|is another object|journal was lost' "$case_dir/watcher.log" ||
		fail "it did not know its own work again"
	cat "$case_dir/watcher.log" >>"$outputs"
}

begin_sweep() { # begin_sweep KILLS
	kills_made=0
	for ((i = 0; i < $1; i++)); do
		grow $((2 + RANDOM % 4))
		watch_and_kill
	done
}

# ---- cases -----------------------------------------------------------------------------------------

killed_while_it_is_recorded() { # ROUND KILLS
	RANDOM=$((seed + $1))
	use_sink --md5 --rate-mbps 400
	begin_recording
	begin_sweep "$2"
	launch_watcher
	grow 6
	end_recording moov
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
	expect_nothing_twice_but_what_was_under_way
	expect_one_upload
	expect "the object's bytes" "$(stat -c %s "$copies/$media")" "$(sink_lines D | cut -d ' ' -f 4)"
	expect_all_well
	stop_watcher
}

# In which the kills fall into the upload's beginning, the first part, the tail, Complete, the notice.
killed_while_it_finalizes() { # ROUND KILLS
	local i
	RANDOM=$((seed + $1))
	use_sink --md5 --rate-mbps 400
	begin_recording
	grow 58
	end_recording moov
	touch -d '1 hour ago' "$session" "$session/$media"
	kills_made=0
	for ((i = 0; i < $2 && $(accepted_notices) == 0; i++)); do
		watch_and_kill CONFOMEET_S3_RATE_LIMIT=16MiB
	done
	launch_watcher
	wait_for 30 is_safe
	more_repeats=$((kills_made * 3)) # four are sent at once
	expect_nothing_twice_but_what_was_under_way
	expect_one_upload
	expect "the object's bytes" "$(stat -c %s "$copies/$media")" "$(sink_lines D | cut -d ' ' -f 4)"
	wait_for 5 test ! -e "$session"
	expect_all_well
	stop_watcher
}

killed_beside_a_real_server() { # ROUND KILLS
	RANDOM=$((seed + $1))
	begin_recording
	begin_sweep "$2"
	launch_watcher
	grow 6
	end_recording moov
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
	expect_object "$media" "$copies/$media"
	expect_all_well
	stop_watcher
}

echo "seed $seed, $kills kills"
few=$((kills / 5))
run killed_while_it_is_recorded 1 "$few"
run killed_while_it_is_recorded 2 "$few"
run killed_while_it_finalizes 3 "$few"
run killed_while_it_finalizes 4 "$few"
# The recordings that were finalized sooner leave the rest for this one.
run killed_beside_a_real_server 5 $((kills - $(kills_so_far)))
end_of_cases
