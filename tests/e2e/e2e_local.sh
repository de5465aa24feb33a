#!/usr/bin/env bash
#
# e2e_local.sh - end to end: how long local files are kept, and several programs at once.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

# POLICY: nothing of the second call is to be seen in the bucket or at the backend.
kept_files_are_uploaded_once() {
	local before objects_before
	make_file "$session/12345_a.mp4" $((8 * MIB + 1))
	make_file "$session/metadata.json" 100
	before=$(state_of "$session")
	finalize "CONFOMEET_KEEP_LOCAL=$1" "$session"
	expect_code 0 'keeping 2 local files'
	expect "the files" "$before" "$(state_of "$session")"
	objects_before=$(objects)
	finalize "CONFOMEET_KEEP_LOCAL=$1" "$session"
	expect_code 0
	expect "the files" "$before" "$(state_of "$session")"
	expect "the objects" "$objects_before" "$(objects)"
	expect "requests to the backend" 1 "$(notices .status | wc -l)"
	# A policy that changed holds for what was kept.
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect "the objects" "$objects_before" "$(objects)"
	expect "requests to the backend" 1 "$(notices .status | wc -l)"
}

is_gone_after_a_call() {
	finalize CONFOMEET_KEEP_LOCAL=1s "$session" >"$case_dir/calls"
	expect_code 0
	[ ! -e "$session" ]
}

kept_files_go_when_their_time_is_over() {
	make_file "$session/12345_a.mp4" 1000
	finalize CONFOMEET_KEEP_LOCAL=1h "$session"
	expect_code 0
	[ -e "$session/12345_a.mp4" ] || fail "it did not stay"
	wait_for 10 is_gone_after_a_call
	expect "requests to the backend" 1 "$(notices .status | wc -l)"
}

# Kept, and written to since: what is new is not in the bucket yet.
a_kept_file_that_changed_is_uploaded_beside_the_first() {
	make_file "$session/12345_a.mp4" 1000 first
	finalize CONFOMEET_KEEP_LOCAL=forever "$session"
	expect_code 0
	make_file "$session/12345_a.mp4" 2000 second
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect_object 12345_a.mp4 "$copies/first"
	expect_object 12345_a~2.mp4 "$copies/second"
	expect "notices" "1000 12345_a.mp4;2000 12345_a~2.mp4" \
		"$(notices '.body|"\(.fileSize) \(.key)"' | sort | paste -s -d ';')"
}

was_touched() { touch "$1"; }
got_another_inode() { cp -p "$1" "$case_dir/copy" && mv "$case_dir/copy" "$1"; }

# As on a file system that gives its files new numbers when it is mounted.
a_kept_file_of_the_same_bytes_is_neither_sent_nor_told_again() { # WHAT-BECAME-OF-IT
	local name
	make_file "$session/1_small.mp4" 1000
	make_file "$session/2_large.mp4" $((11 * MIB))
	finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_KEEP_LOCAL=forever "$session"
	expect_code 0
	for name in 1_small 2_large; do "$1" "$session/$name.mp4"; done
	finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_KEEP_LOCAL=forever "$session"
	expect_code 0 ': safe: 2 recordings'
	expect "keys" "1_small.mp4 2_large.mp4" "$(keys | paste -s -d ' ')"
	expect "requests to the backend" 2 "$(notices .status | wc -l)"
	expect "rows of the backend" '[1,2]' "$(env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" "$program" status --json | jq -c ".recordings[0].files|map(.backend_row)")"
	finalize "$session"
	expect_code 0
	expect_all_gone
	for name in 1_small 2_large; do expect_object "$name.mp4" "$copies/$name.mp4"; done
}

a_file_that_comes_after_the_first_call_is_uploaded() {
	make_file "$session/12345_a.mp4" 1000
	finalize CONFOMEET_KEEP_LOCAL=forever "$session"
	expect_code 0
	make_file "$session/transcript.txt" 500
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect_object nzqxnaoiugxqlhbp/transcript.txt "$copies/transcript.txt"
	expect "accepted notices" 1 "$(accepted_notices)"
}

a_call_for_a_recording_that_is_done_is_fine() {
	make_file "$session/12345_a.mp4" 1000
	finalize "$session"
	expect_code 0
	expect_all_gone
	finalize "$session"
	expect_code 0 'an earlier run has finished'
	expect "requests to the backend" 1 "$(notices .status | wc -l)"
}

the_journal_can_be_elsewhere() {
	make_file "$session/12345_a.mp4" 1000
	finalize "CONFOMEET_JOURNAL=$case_dir/elsewhere/journal.db" "$session"
	expect_code 0
	[ -e "$case_dir/elsewhere/journal.db" ] || fail "it is not there"
	expect "what is in the recordings directory" '' "$(ls -A "$recordings")"
}

the_journal_is_readable_by_its_owner_alone() {
	make_file "$session/12345_a.mp4" 1000
	finalize "$session"
	expect_code 0
	expect "modes" "700 600" "$(stat -c %a "${journal%/*}" "$journal" | paste -s -d ' ')"
}

two_at_once_on_one_recording() {
	local first second
	make_file "$session/12345_a.mp4" $((24 * MIB))
	make_file "$session/metadata.json" 100
	output_file=$case_dir/output.1 start_finalize CONFOMEET_S3_RATE_LIMIT=6MiB "$session"
	first=$!
	wait_for 20 has_parts 1
	kill -STOP "$first" # it must not be done before
	output_file=$case_dir/output.2 start_finalize "$session"
	second=$!
	wait_for 20 grep -q 'waiting: another process' "$case_dir/output.2"
	kill -CONT "$first"
	finish_finalize "$first" "$case_dir/output.1"
	expect_code 0
	finish_finalize "$second" "$case_dir/output.2"
	expect_code 0
	expect_match "what the second said" 'waiting: another process' "$output"
	expect_all_gone
	expect "accepted notices" 1 "$(accepted_notices)"
	expect keys "12345_a.mp4 nzqxnaoiugxqlhbp/metadata.json" "$(keys | paste -s -d ' ')"
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
}

two_at_the_same_instant_on_one_recording() {
	local i first second
	for i in 1 2 3 4 5; do
		make_file "$session/12345_$i.mp4" 1000
		output_file=$case_dir/output.1 start_finalize "$session"
		first=$!
		output_file=$case_dir/output.2 start_finalize "$session"
		second=$!
		finish_finalize "$first" "$case_dir/output.1"
		expect_code 0
		finish_finalize "$second" "$case_dir/output.2"
		expect_code 0
		expect_all_gone
		expect "accepted notices" "$i" "$(accepted_notices)"
		expect keys "$i" "$(keys | wc -l)"
	done
}

sixteen_at_once_share_one_journal() {
	local i started=()
	for i in {1..16}; do
		make_file "$recordings/session$i/12345_a.mp4" 200000 "$i"
		make_file "$recordings/session$i/metadata.json" 100 "metadata$i"
	done
	for i in {1..16}; do
		output_file=$case_dir/output.$i start_finalize "CONFOMEET_S3_KEY_PREFIX={session}/" \
			"$recordings/session$i"
		started+=("$!")
	done
	for i in {1..16}; do
		finish_finalize "${started[i - 1]}" "$case_dir/output.$i"
		expect_code 0
		[ ! -e "$recordings/session$i" ] || fail "session$i was left"
		expect_object "session$i/12345_a.mp4" "$copies/$i"
	done
	expect "accepted notices" 16 "$(accepted_notices)"
	expect "Idempotency-Keys" 16 "$(idempotency_keys)"
	expect "recordings that are done" 16 "$(query 'SELECT count(*) FROM recording WHERE state = 4')"
}

# All recordings of one meeting that were begun in one second, by several Jibris with one bucket.
sixteen_at_once_want_the_same_key() {
	local i started=()
	for i in {1..16}; do
		make_file "$recordings/session$i/12345_a.mp4" 1000 "$i"
	done
	for i in {1..16}; do
		output_file=$case_dir/output.$i start_finalize "$recordings/session$i"
		started+=("$!")
	done
	for i in {1..16}; do
		finish_finalize "${started[i - 1]}" "$case_dir/output.$i"
		expect_code 0
	done
	expect keys 16 "$(keys | wc -l)"
	rclone_ copy ":s3:$bucket" "$case_dir/bucket"
	expect "the bytes" "$(cd "$copies" && cat -- * | wc -c) $(sha256sum "$copies"/* | cut -c 1-64 | sort | sha256sum)" \
		"$(cat "$case_dir/bucket"/* | wc -c) $(sha256sum "$case_dir/bucket"/* | cut -c 1-64 | sort | sha256sum)"
	expect "keys in the notices" "$(keys)" "$(notices .body.key | LC_ALL=C sort)"
}

run kept_files_are_uploaded_once forever
run kept_files_are_uploaded_once 48h
run kept_files_go_when_their_time_is_over
run a_kept_file_that_changed_is_uploaded_beside_the_first
run a_kept_file_of_the_same_bytes_is_neither_sent_nor_told_again was_touched
run a_kept_file_of_the_same_bytes_is_neither_sent_nor_told_again got_another_inode
run a_file_that_comes_after_the_first_call_is_uploaded
run a_call_for_a_recording_that_is_done_is_fine
run the_journal_can_be_elsewhere
run the_journal_is_readable_by_its_owner_alone
run two_at_once_on_one_recording
run two_at_the_same_instant_on_one_recording
run sixteen_at_once_share_one_journal
run sixteen_at_once_want_the_same_key
end_of_cases
