#!/usr/bin/env bash
#
# stop_resume.sh - stopped by TERM, INT and KILL in the middle of its work, jibri-finalize goes on in
# the next run: what the bucket has acknowledged is not sent again.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/faults/stop_resume.sh [PATTERN]

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/e2e.sh"

preload=$build/tests/tools/kill-at.so
media=12345_2024-04-23-15-04-05.mp4
part_count=8
stop_limit_ms=5000

# ---- what the cases have in common ---------------------------------------------------------------

# 8 parts, two at once, slowly enough to be stopped in between.
record() {
	make_file "$session/$media" $((part_count * 5 * MIB - 12345))
	echo '{"meeting_url":"https://meet.example.org/12345"}' >"$session/metadata.json"
	environment+=(CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_PARALLEL=2
		"ASAN_OPTIONS=verify_asan_link_order=0")
}

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# Stops process $! by a signal. How long it took goes to $took_ms.
stop_by() {
	local process=$! began
	began=$(now_ms)
	kill -s "$1" "$process"
	finish_finalize "$process"
	took_ms=$(($(now_ms) - began))
	echo "stopped by $1 within $took_ms ms"
	if [ "$1" = KILL ]; then
		expect_code 137
	else
		expect_code 75 'stopped before all was uploaded'
		expect_at_most "ms until it ended" "$(as_busy_as_it_is "$stop_limit_ms")" "$took_ms"
	fi
}

# Slowed down until the journal has this many parts, and then stopped. What is left takes more than a
# second: so much later may a busy machine find out.
stop_in_mid_upload() { # SIGNAL PARTS
	start_finalize CONFOMEET_S3_RATE_LIMIT=8MiB "$session"
	local process=$!
	wait_for 60 has_parts "$2"
	is_running "$process" || fail "it has ended by itself"
	stop_by "$1"
	expect "integrity of the journal" ok "$(query 'PRAGMA integrity_check')"
	expect "files left" "$media metadata.json" "$(find "$session" -type f -printf '%f\n' | sort | paste -s -d ' ')"
	cmp "$session/$media" "$copies/$media"
}

# "<number> <ETag> <time>" of each part that the bucket holds.
parts_in_bucket() {
	local id
	id=$(query 'SELECT upload_id FROM file WHERE media')
	s3_request GET "/$bucket/$media?uploadId=$id" |
		{ grep -oE '<(PartNumber|ETag|LastModified)>[^<]*' || true; } |
		awk -F '[<>]' '{ value[$2] = $3 } /PartNumber|ETag|LastModified/ && ++count % 3 == 0 {
			gsub("&quot;|\"", "", value["ETag"])
			print value["PartNumber"], value["ETag"], value["LastModified"] }' | sort -n
}

# A part that was sent in full before the end may be stored after it, and a busy server takes its time.
settled_parts_in_bucket() {
	local before='' now
	now=$(parts_in_bucket)
	until [ "$before" = "$now" ]; do
		sleep 1
		before=$now
		now=$(parts_in_bucket)
	done
	echo "$now"
}

numbers_of_parts() { cut -d ' ' -f 1 | sort -n | paste -s -d ' '; }

expect_orderly_journal() { # after TERM and INT
	expect "state of the recording" 2 "$(query 'SELECT state FROM recording')"
	expect "phase of the upload" 3 "$(query 'SELECT phase FROM file WHERE media')"
	expect_match "its error" 'stopped' "$(query 'SELECT last_error FROM recording')"
}

# Each part that the journal counts is in the bucket. (The bucket may have more: its last replies
# may have been on their way.)
expect_journal_to_be_right() {
	local missing
	missing=$(comm -23 <(query "SELECT number || ' ' || trim(etag, '\"') FROM part" | sort) \
		<(cut -d ' ' -f 1,2 <<<"$1" | sort))
	expect "parts that only the journal has" '' "$missing"
}

journal_knows_the_files() { [ "$(query 'SELECT count(*) FROM file')" = 2 ]; }

# The next run, to the end, with a count of what it sends.
go_on() {
	rm -f "$case_dir/events"
	finalize "LD_PRELOAD=$preload" "KILL_EVENTS=$case_dir/events" "$session"
	expect_code 0
}

parts_sent() { sed -nE 's/.* before part ([0-9]+) is sent/\1/p' "$case_dir/events" | sort -n; }

expect_finished() {
	expect_all_gone
	expect_object "$media" "$copies/$media"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "objects" "$media ${session##*/}/metadata.json" "$(keys | paste -s -d ' ')"
}

# ---- cases ---------------------------------------------------------------------------------------

stopped_in_mid_upload_it_goes_on_where_it_was() { # SIGNAL
	local held missing
	record
	stop_in_mid_upload "$1" 3
	[ "$1" = KILL ] || expect_orderly_journal
	held=$(settled_parts_in_bucket)
	expect_journal_to_be_right "$held"
	go_on
	missing=$(comm -23 <(seq "$part_count" | sort) <(cut -d ' ' -f 1 <<<"$held" | sort) | sort -n)
	expect "parts sent by the next run" "$(numbers_of_parts <<<"$missing")" \
		"$(parts_sent | numbers_of_parts)"
	echo "held: $(numbers_of_parts <<<"$held"); sent: $(numbers_of_parts <<<"$missing")"
	expect_finished
}

stopped_again_and_again_it_sends_no_part_twice() {
	local before after kept
	record
	stop_in_mid_upload TERM 1
	before=$(parts_in_bucket)
	stop_in_mid_upload KILL 3
	after=$(parts_in_bucket)
	kept=$(comm -12 <(sort <<<"$before") <(sort <<<"$after") | sort -n)
	expect "parts that stayed as they were" "$before" "$kept"
	before=$after
	stop_in_mid_upload INT 5
	after=$(parts_in_bucket)
	kept=$(comm -12 <(sort <<<"$before") <(sort <<<"$after") | sort -n)
	expect "parts that stayed as they were" "$before" "$kept"
	go_on
	expect "parts sent twice" '' "$(comm -12 <(parts_sent | sort) <(cut -d ' ' -f 1 <<<"$after" | sort))"
	expect_finished
}

stopped_while_the_backend_does_not_answer() { # SIGNAL
	record
	restart_backend --fail hang:1
	start_finalize "$session"
	local process=$!
	wait_for 60 test -s "$case_dir/backend.log"
	is_running "$process" || fail "it has ended by itself"
	stop_by "$1"
	expect "state of the notice" 2 "$(query 'SELECT notice FROM file WHERE media')"
	go_on
	expect "parts sent by the next run" '' "$(parts_sent)"
	expect "Idempotency-Keys" 1 "$(idempotency_keys)"
	expect_finished
}

stopped_while_the_bucket_does_not_answer() { # SIGNAL
	record
	start_sink --latency-ms 30000
	start_finalize "CONFOMEET_S3_URL=$sink_url" "$session"
	local process=$!
	wait_for 60 journal_knows_the_files
	is_running "$process" || fail "it has ended by itself"
	stop_by "$1"
	go_on
	expect_finished
}

for signal in TERM INT KILL; do
	run stopped_in_mid_upload_it_goes_on_where_it_was "$signal"
done
run stopped_again_and_again_it_sends_no_part_twice
for signal in TERM INT KILL; do
	run stopped_while_the_backend_does_not_answer "$signal"
done
for signal in TERM INT; do
	run stopped_while_the_bucket_does_not_answer "$signal"
done
echo "stop and resume: $case_count cases, $failure_count failures"
end_of_cases
