#!/usr/bin/env bash
#
# endurance.sh - uploads against a server that is overloaded, that goes away, or that never comes.
#
#   E2E_BUILD=build/test tests/faults/endurance.sh [--all] [PATTERN]
#
# --all sends more parts. See e2e.sh for the rest. The server is the sink, which keeps no bytes but
# knows its uploads after it was killed and restarted.

outage_s=30
uploads=10
parts_of_each=3
if [ "${1:-}" = --all ]; then
	parts_of_each=12
	shift
fi

# shellcheck source=tests/faults/faults.sh
. "$(dirname "${BASH_SOURCE[0]}")/faults.sh"

name=12345_2024-04-23-15-04-05.mp4

# ---- the sink and its journal --------------------------------------------------------------------

# restart_sink ARGUMENT...: on the same port as before, with the uploads that it had.
restart_sink() {
	start_sink --port "${sink_url##*:}" "$@"
	sink_pid=${pids[-1]}
}

# sink_lines KIND: lines of the sink's journal; see sink.c.
sink_lines() { awk -v kind="$1" '$1 == kind' "$case_dir/sink.journal"; }
sink_has_parts() { [ "$(sink_lines P | wc -l)" -ge "$1" ]; }

use_sink() {
	start_sink --journal "$case_dir/sink.journal" "$@"
	sink_pid=${pids[-1]}
	environment+=("CONFOMEET_S3_URL=$sink_url" CONFOMEET_S3_PART_SIZE=5MiB)
}

# Bytes that do not matter take no time to be made.
make_sparse_file() {
	mkdir -p "$(dirname "$1")"
	truncate -s "$2" "$1"
}

# ---- cases ---------------------------------------------------------------------------------------

# Twenty failures in a row, which take longer than two minutes, are chance: they happen in one of a
# hundred runs of this test. Hence the patience.
ten_of_ten_uploads_finish_though_60_percent_of_the_replies_are_503() {
	local i clients=()
	use_sink --fail-rate 0.6 --seed $((RANDOM + 1))
	for ((i = 1; i <= uploads; i++)); do
		make_sparse_file "$recordings/session-$i/1234${i}_a.mp4" $((parts_of_each * 5 * MIB - i))
	done
	for ((i = 1; i <= uploads; i++)); do
		output_file=$case_dir/output-$i start_finalize CONFOMEET_S3_PARALLEL=4 \
			CONFOMEET_S3_RETRY_FOR=15min "$recordings/session-$i"
		clients+=("$!")
	done
	for ((i = 1; i <= uploads; i++)); do
		limit=600 finish_finalize "${clients[i - 1]}" "$case_dir/output-$i"
		expect "exit code of upload $i" 0 "$code"
	done
	expect "objects" "$uploads" "$(sink_lines D | wc -l)"
	for ((i = 1; i <= uploads; i++)); do
		[ ! -e "$recordings/session-$i" ] || fail "session-$i is not finished"
		expect "bytes of recording $i" $((parts_of_each * 5 * MIB - i)) \
			"$(sink_lines D | awk -v path="/$bucket/1234${i}_a.mp4" '$3 == path { print $4 }')"
	done
	expect "accepted notices" "$uploads" "$(accepted_notices)"
	expect_at_least "replies that were 503" $((uploads * 5)) "$(sink_lines F | wc -l)"
	echo "requests refused: $(sink_lines F | wc -l)"
}

a_server_that_goes_away_in_mid_upload_and_comes_back_gets_the_rest() {
	local held sent_before client parts=16
	use_sink --rate-mbps 60
	make_sparse_file "$session/$name" $((parts * 5 * MIB))
	start_finalize CONFOMEET_S3_PARALLEL=4 CONFOMEET_S3_CONNECT_TIMEOUT=2s "$session"
	client=$!
	wait_for 30 sink_has_parts 5
	kill -KILL "$sink_pid"
	sleep 1 # what was acknowledged is in the journal by then
	held=$(query 'SELECT number FROM part')
	sent_before=$(sink_lines P | wc -l)
	sleep $((outage_s - 1))
	is_running "$client" || fail "the client gave up"
	restart_sink --journal "$case_dir/sink.journal"
	limit=120 finish_finalize "$client"
	expect_code 0 ': safe: 1 recording'
	expect_all_gone
	expect_at_least "parts before the outage" 4 "$(wc -w <<<"$held")"
	expect_at_least "parts after the outage" 1 $(($(sink_lines P | wc -l) - sent_before))
	expect "upload ids" 1 "$(sink_lines C | wc -l)"
	expect "objects" 1 "$(sink_lines D | wc -l)"
	for part in $held; do
		expect "times that part $part was sent" 1 \
			"$(sink_lines P | awk -v part="$part" '$3 == part' | wc -l)"
	done
	expect "parts" "$parts" "$(sink_lines P | cut -d ' ' -f 3 | sort -un | wc -l)"
	expect "accepted notices" 1 "$(accepted_notices)"
}

# requests_at_once FROM TO: the most that were under way when one of these parts was begun.
requests_at_once() {
	requests part | sort -n | awk -v from="$1" -v to="$2" \
		'$4 >= from && $4 <= to && $10 > most { most = $10 } END { print most + 0 }'
}

SlowDown_makes_it_send_fewer_at_once_and_it_recovers() {
	local before during after
	# So late that reading the next part takes no time beside it, however busy this machine is.
	sink_address=127.0.0.1 use_sink --latency-ms 1000 # the proxy knows no other
	proxy_log=$case_dir/proxy.log
	proxy_upstream=${sink_url##*:} start_proxy "$proxy_log" --fault part:25-32:503
	make_sparse_file "$session/$name" $((80 * 5 * MIB))
	finalize "CONFOMEET_S3_URL=$proxy_url" CONFOMEET_S3_PARALLEL=8 "$session"
	cat "$proxy_log"
	expect_code 0 ': safe: 1 recording'
	before=$(requests_at_once 8 24)
	during=$(requests_at_once 33 37)
	after=$(requests_at_once 66 80)
	echo "requests at once: $before before, $during after the SlowDown, $after in the end"
	expect_at_least "requests at once before" 7 "$before"
	# Half of them, and one or two for those that have succeeded since.
	expect_at_most "requests at once after the SlowDown" 6 "$during"
	expect_at_least "requests at once in the end" 7 "$after"
	expect "parts that were acknowledged twice" '' "$(parts_sent_twice)"
	expect "accepted notices" 1 "$(accepted_notices)"
}

# A port that no process listens on.
find_closed_port() {
	start_sink
	end_process "${pids[-1]}"
}

# expect_given_up WHAT-IS-SAID NAME=VALUE...: exit code 75 in time, and all is well afterwards. In
# time is long before CONFOMEET_S3_RETRY_FOR and CONFOMEET_S3_IDLE_TIMEOUT would be over.
expect_given_up() {
	local began before
	make_file "$session/$name" $((6 * MIB))
	before=$(state_of "$session")
	began=$SECONDS
	finalize "${@:2}" "$session"
	expect_within 25 $((SECONDS - began))
	expect "exit code" 75 "$code"
	expect_match "the last line" ' error: not finished: .*; what to do: .*(call it|try) again' "$last_line"
	expect_match "what was said" "$1" "$output"
	expect "lines that say what to do" 1 "$(grep -c 'what to do:' <<<"$output")"
	expect "the files" "$before" "$(state_of "$session")"
	finalize "$session"
	expect_code 0 ': safe: 1 recording'
	expect_object "$name" "$copies/$name"
	expect "accepted notices" 1 "$(accepted_notices)"
}

a_server_that_is_down_ends_in_exit_75_when_patience_is_over() {
	find_closed_port
	expect_given_up '[Cc]onnect' "CONFOMEET_S3_URL=$sink_url" CONFOMEET_S3_RETRY_FOR=3s
}

a_server_that_is_down_ends_in_exit_75_within_the_time_that_Jibri_may_be_held() {
	find_closed_port
	expect_given_up 'Failed to connect' "CONFOMEET_S3_URL=$sink_url" CONFOMEET_FINALIZE_WAIT=4s
}

a_server_that_never_answers_ends_in_exit_75_within_the_time_that_Jibri_may_be_held() {
	proxy_log=$case_dir/proxy.log
	start_proxy "$proxy_log" --fault any:1-:hang
	expect_given_up 'CONFOMEET_FINALIZE_WAIT' "CONFOMEET_S3_URL=$proxy_url" CONFOMEET_FINALIZE_WAIT=4s
}

a_server_that_is_overloaded_to_the_end_ends_in_exit_75_within_the_time_that_Jibri_may_be_held() {
	proxy_log=$case_dir/proxy.log
	start_proxy "$proxy_log" --fault any:1-:503-retry-after
	expect_given_up 'HTTP status 503' "CONFOMEET_S3_URL=$proxy_url" CONFOMEET_FINALIZE_WAIT=4s
	# That it asked for a second between two tries was minded: four seconds hold five of them.
	expect_at_most "requests that were refused" 6 \
		"$(requests any | awk '$8 == 503' | wc -l)"
}

use_server
need_fault_tools
# They are pauses for the most part: each of these runs beside the others.
started=0
beside() {
	started=$((started + 1))
	(
		case_count=$started
		run "$@"
	) >"$work/output-$started" &
}
beside a_server_that_goes_away_in_mid_upload_and_comes_back_gets_the_rest
beside ten_of_ten_uploads_finish_though_60_percent_of_the_replies_are_503
beside a_server_that_is_down_ends_in_exit_75_when_patience_is_over
beside a_server_that_is_down_ends_in_exit_75_within_the_time_that_Jibri_may_be_held
beside a_server_that_never_answers_ends_in_exit_75_within_the_time_that_Jibri_may_be_held
beside a_server_that_is_overloaded_to_the_end_ends_in_exit_75_within_the_time_that_Jibri_may_be_held
beside SlowDown_makes_it_send_fewer_at_once_and_it_recovers
wait
cat "$work"/output-*
case_count=$(cat "$work"/output-* | grep -cE '^(not )?ok - ') || true
failure_count=$(cat "$work"/output-* | grep -c '^not ok - ') || true
end_of_cases
