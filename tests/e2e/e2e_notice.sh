#!/usr/bin/env bash
#
# e2e_notice.sh - end to end: the backend hears of each recording once, whatever it answers, and no
# local file goes before it has.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

# expect_to_be_continued NOTICES: the next call tells the backend, which is well again, and uploads
# nothing; in all it accepted this many notices, all of one Idempotency-Key.
expect_to_be_continued() {
	local before
	before=$(objects)
	restart_backend
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect "the objects" "$before" "$(objects)"
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect "accepted notices" "$1" "$(accepted_notices)"
	expect "Idempotency-Keys" 1 "$(idempotency_keys)"
}

# FAULT CODE LAST-LINE [PATIENCE]
the_backend_answers() {
	local before
	make_file "$session/12345_a.mp4" 1000
	before=$(state_of "$session")
	restart_backend --fail "$1"
	finalize "CONFOMEET_S3_RETRY_FOR=${4:-500ms}" CONFOMEET_BACKEND_TIMEOUT=1s "$session"
	expect_code "$2" "$3"
	expect "the files" "$before" "$(state_of "$session")"
	expect keys 12345_a.mp4 "$(keys)"
	expect "accepted notices" 0 "$(accepted_notices)"
	expect_to_be_continued 1
}

# FAULT
the_backend_answers_once() {
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail "$1:1"
	finalize CONFOMEET_BACKEND_TIMEOUT=1s "$session"
	expect_code 0
	expect_all_gone
	expect "requests" 2 "$(notices .status | wc -l)"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "Idempotency-Keys" 1 "$(idempotency_keys)"
}

# FAULT: the notice is accepted, and the answer is lost. It is repeated, as the same one.
the_backend_accepts_and() {
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail "$1:1"
	finalize CONFOMEET_BACKEND_TIMEOUT=1s "$session"
	expect_code 0
	expect_all_gone
	expect "accepted notices" 2 "$(accepted_notices)"
	expect "Idempotency-Keys" 1 "$(idempotency_keys)"
}

no_backend() {
	make_file "$session/12345_a.mp4" 1000
	stop_backend
	finalize CONFOMEET_S3_RETRY_FOR=500ms "$session"
	expect_code 75 'backend.*what to do: .*CONFOMEET_BASE_URL'
	expect "what stays" 12345_a.mp4 "$(ls "$session")"
	: >"$case_dir/backend.log"
	start_backend
	expect_to_be_continued 1
}

no_backend_on_a_name_without_an_address() {
	make_file "$session/12345_a.mp4" 1000
	finalize CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_BASE_URL=http://backend.example.invalid/meet "$session"
	expect_code 75 'backend.*what to do: .*CONFOMEET_BASE_URL'
	expect_to_be_continued 1
}

killed_while_the_backend_does_not_answer() {
	local pid
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail "$1"
	start_finalize "$session"
	pid=$!
	wait_for 20 grep -q idempotency-key "$case_dir/backend.log"
	kill -KILL "$pid"
	finish_finalize "$pid"
	expect_code 137
	expect_to_be_continued "$2"
	expect "requests" 2 "$(notices .status | wc -l)"
}

told_to_stop_while_the_backend_does_not_answer() {
	local pid started
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail hang
	start_finalize "$session"
	pid=$!
	wait_for 20 grep -q idempotency-key "$case_dir/backend.log"
	started=$SECONDS
	kill -TERM "$pid"
	finish_finalize "$pid"
	expect_within 5 $((SECONDS - started))
	expect_code 75
	expect_to_be_continued 1
}

# WHAT: "$session", or a file in it.
the_notice_needs_nothing_of_the_disk() {
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail 500
	finalize CONFOMEET_S3_RETRY_FOR=500ms "$session"
	expect_code 75
	rm -r "$session${1:+/$1}"
	restart_backend
	finalize "$session"
	expect_code 0 'safe: 1 recording'
	expect "accepted notices" 1 "$(accepted_notices)"
	finalize "$session"
	expect_code 0 'safe: '
	expect "accepted notices" 1 "$(accepted_notices)"
}

nor_does_a_retry_of_it() {
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail 400
	finalize "$session"
	expect_code 1
	rm -r "$session"
	restart_backend
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" retry --notify-only 1
	expect_code 0
	expect "accepted notices" 1 "$(accepted_notices)"
}

what_was_removed_before_it_was_uploaded_is_lost() {
	make_file "$session/12345_a.mp4" $((12 * MIB))
	finalize CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_S3_URL=http://127.0.0.1:1 "$session"
	expect_code 75
	rm -r "$session"
	finalize "$session"
	expect_code 1 'vanished before being safe'
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" retry 1
	expect_code 1 'vanished before being safe'
	finalize "$session"
	expect_code 1 'vanished before being safe'
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" abandon --yes 1
	expect_code 0 'its directory is gone'
	expect "accepted notices" 0 "$(accepted_notices)"
}

# Segments, which are no media: FILE... of these vanish.
so_is_a_recording_without_media() {
	local file
	for file in 4711_1.ts 4711_2.ts; do
		make_file "$session/$file" 1000
	done
	finalize CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_S3_URL=http://127.0.0.1:1 "$session"
	expect_code 75
	for file; do
		rm -r "$session${file:+/$file}"
	done
	finalize "$session"
	expect_code 1 'files? vanished before being safe'
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" retry 1
	expect_code 1 'files? vanished before being safe'
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" abandon --yes 1
	expect_code 0
}

a_recording_without_a_meeting_id_stays() {
	local name before requests
	for name in room_2024-04-23-15-04-05.mp4 12345.mp4 4294967296_x.mp4 -5_x.mp4 _x.mp4; do
		make_file "$session/$name" 100
	done
	make_file "$session/12345_good.mp4" 100
	finalize "$session"
	expect_code 1 'meeting id.*what to do: '
	expect keys 6 "$(keys | wc -l)"
	expect_object room_2024-04-23-15-04-05.mp4 "$copies/room_2024-04-23-15-04-05.mp4"
	expect "what the backend heard of" 12345_good.mp4 "$(notices .body.fileName)"
	expect "what stays" 5 "$(find "$session" -type f | wc -l)"
	before=$(objects)
	requests=$(notices .status | wc -l)
	finalize "$session"
	expect_code 1 'meeting id'
	expect "the objects" "$before" "$(objects)"
	expect "requests" "$requests" "$(notices .status | wc -l)"
	finalize CONFOMEET_NOTICE=off "$session"
	expect_code 0
	expect_all_gone
}

a_refused_notice_does_not_hold_up_the_others() {
	make_file "$session/12345_a.mp4" 100
	make_file "$session/12345_b.mp4" 100
	make_file "$session/metadata.json" 100
	restart_backend --fail 400:1
	finalize CONFOMEET_S3_PARALLEL=1 "$session"
	expect_code 1 'refused'
	expect "accepted notices" 1 "$(accepted_notices)"
	expect keys 3 "$(keys | wc -l)"
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect "what the backend heard of" "12345_a.mp4 12345_b.mp4" \
		"$(notices 'select(.accepted)|.body.fileName' | sort | paste -s -d ' ')"
}

notices_can_be_switched_off() {
	make_file "$session/12345_a.mp4" 1000
	make_file "$session/room.mp4" 1000
	finalize CONFOMEET_NOTICE=off CONFOMEET_BASE_URL= "$session"
	expect_code 0
	expect_all_gone
	expect "requests" '' "$(notices)"
}

the_token_is_sent_and_shown_nowhere() {
	more_secrets=(the.backend-token)
	make_file "$session/12345_a.mp4" 1000
	restart_backend --fail 500:1
	finalize CONFOMEET_BACKEND_TOKEN=the.backend-token CONFOMEET_LOG_LEVEL=debug "$session"
	expect_code 0
	expect "Authorization" "true true" "$(notices .headers.authorization | paste -s -d ' ')"
	expect "Content-Type" application/json "$(notices '.headers["content-type"]' | sort -u)"
}

the_address_comes_from_the_domain_without_a_base_url() {
	make_file "$session/12345_a.mp4" 1000
	finalize CONFOMEET_BASE_URL= "XMPP_DOMAIN=127.0.0.1:$backend_port" "$session"
	expect_code 0
	expect "path" POST:/meet/api/v1/Recording/AddS3VideoRecording "$(notices '"\(.method):\(.path)"')"
}

run the_backend_answers 500 75 '500.*what to do: '
run the_backend_answers 503 75 '503.*what to do: '
run the_backend_answers hang 75 'in time.*what to do: ' 0
run the_backend_answers reset 75 'broke.*what to do: '
run the_backend_answers 301 1 '301.*CONFOMEET_BASE_URL'
run the_backend_answers 400 1 '400.*told to refuse it'
run the_backend_answers 401 1 '401.*CONFOMEET_BACKEND_TOKEN'
run the_backend_answers 404 1 '404.*CONFOMEET_BASE_URL'
run the_backend_answers garbage 1 'no row'
run the_backend_answers id0 1 'no row'
run the_backend_answers_once 500
run the_backend_answers_once reset
run the_backend_accepts_and reset-after-accept
run the_backend_accepts_and hang-after-accept
run no_backend
run no_backend_on_a_name_without_an_address
run killed_while_the_backend_does_not_answer hang 1
run killed_while_the_backend_does_not_answer hang-after-accept 2
run told_to_stop_while_the_backend_does_not_answer
run the_notice_needs_nothing_of_the_disk
run the_notice_needs_nothing_of_the_disk 12345_a.mp4
run nor_does_a_retry_of_it
run what_was_removed_before_it_was_uploaded_is_lost
run so_is_a_recording_without_media ""
run so_is_a_recording_without_media 4711_1.ts
run a_recording_without_a_meeting_id_stays
run a_refused_notice_does_not_hold_up_the_others
run notices_can_be_switched_off
run the_token_is_sent_and_shown_nowhere
run the_address_comes_from_the_domain_without_a_base_url
end_of_cases
