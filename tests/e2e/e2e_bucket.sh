#!/usr/bin/env bash
#
# e2e_bucket.sh - end to end: what became of the bucket, or of the settings that name it, between two runs.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

# In the bucket, and the backend does not know.
upload_without_a_notice() {
	make_file "$session/12345_a.mp4" "${1:-1000}"
	stop_backend
	finalize CONFOMEET_S3_RETRY_FOR=0 "$session"
	expect_code 75
	start_backend
}

# The setting that names another bucket, which is made.
another_bucket() {
	s3_request PUT "/$bucket-new"
	environment+=("CONFOMEET_S3_BUCKET=$bucket-new")
}

status_json() { env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" "$program" status --json; }

expect_notices() { expect "notices" "$1" "$(notices 'select(.accepted)|.body|"\(.bucket) \(.key)"' | paste -s -d ';')"; }

an_object_that_was_deleted_is_sent_again_before_the_late_notice() {
	upload_without_a_notice
	s3_request DELETE "/$bucket/12345_a.mp4"
	finalize "$session"
	expect_code 0 safe
	expect_match "what is said" 'the object is not in the bucket any more' "$output"
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect_notices "$bucket 12345_a.mp4"
	expect_all_gone
}

an_object_that_was_overwritten_is_sent_again_under_another_key() {
	upload_without_a_notice
	head -c 1000 /dev/zero | s3_request PUT "/$bucket/12345_a.mp4" --data-binary @-
	finalize "$session"
	expect_code 0 safe
	expect_object 12345_a~2.mp4 "$copies/12345_a.mp4"
	expect_notices "$bucket 12345_a~2.mp4"
}

when_only_notices_are_asked_for_nothing_is_said_of_what_is_gone() {
	upload_without_a_notice
	s3_request DELETE "/$bucket/12345_a.mp4"
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" retry --notify-only 1
	expect_code 75
	expect_notices ""
	[ -e "$session/12345_a.mp4" ] || fail "the file is gone"
	finalize "$session"
	expect_code 0
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
}

an_object_that_was_deleted_after_its_file_is_lost() {
	upload_without_a_notice
	s3_request DELETE "/$bucket/12345_a.mp4"
	rm -r "$session"
	finalize "$session"
	expect_code 1
	expect_notices ""
	expect "the state" lost "$(status_json | jq -r '.recordings[].state')"
}

what_another_bucket_holds_is_sent_to_the_one_of_the_settings() {
	local size
	for size in 1000 $((12 * MIB)); do
		session=$recordings/s$size
		mkdir "$session"
		upload_without_a_notice "$size"
		mv "$copies/12345_a.mp4" "$copies/$size"
	done
	another_bucket
	finalize "$recordings/s1000"
	expect_code 0 safe
	finalize "$recordings/s$((12 * MIB))"
	expect_code 0 safe
	bucket=$bucket-new
	expect_object 12345_a.mp4 "$copies/1000"
	expect_object 12345_a~2.mp4 "$copies/$((12 * MIB))"
	expect_notices "$bucket 12345_a.mp4;$bucket 12345_a~2.mp4"
}

without_its_file_it_is_announced_where_it_lies() {
	upload_without_a_notice
	rm -r "$session"
	another_bucket
	finalize "$session"
	expect_code 0 safe
	[[ $last_line != *keeping* ]] || fail "nothing is kept: $last_line"
	expect_notices "$bucket 12345_a.mp4"
	expect "where it is said to be" "${S3_ENDPOINT#*://}/$bucket" "$(status_json | jq -r '.recordings[].files[].location')"
}

an_upload_that_was_begun_in_another_bucket_begins_again_and_leaves_nothing_there() {
	make_file "$session/12345_a.mp4" $((24 * MIB))
	finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_RATE_LIMIT=8MiB CONFOMEET_FINALIZE_WAIT=2s "$session"
	expect_code 75
	expect "uploads that are open" 1 "$(open_uploads | wc -l)"
	another_bucket
	finalize "$session"
	expect_code 0 safe
	expect "uploads that are open" 0 "$(open_uploads | wc -l)" # in the one before
	expect_notices "$bucket-new 12345_a.mp4"
	bucket=$bucket-new
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
}

# CALL: of the recording itself, or of another one, which sweeps.
a_kept_copy_whose_object_is_gone_stays_and_is_sent_again() {
	make_file "$session/12345_a.mp4" 1000
	finalize CONFOMEET_KEEP_LOCAL=1h "$session"
	expect_code 0
	s3_request DELETE "/$bucket/12345_a.mp4"
	if [ "$1" = another ]; then
		make_file "$recordings/other/2_b.mp4" 1000
		sqlite3 "$journal" 'UPDATE file SET safe_at = safe_at - 10'
		finalize CONFOMEET_KEEP_LOCAL=1s "$recordings/other"
		expect_code 0
		cmp "$session/12345_a.mp4" "$copies/12345_a.mp4"
		expect "the state" waiting "$(status_json | jq -r '.recordings[]|select(.id == 1).state')"
	fi
	pause_s 1.1
	finalize "$session"
	expect_code 0 safe
	expect_all_gone
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect "accepted notices for it" 1 "$(notices 'select(.accepted)|.body.key' | grep -c 12345_a.mp4)"
}

pause_s() { read -r -t "$1" -u "$silent_pipe" || true; }

run an_object_that_was_deleted_is_sent_again_before_the_late_notice
run an_object_that_was_overwritten_is_sent_again_under_another_key
run when_only_notices_are_asked_for_nothing_is_said_of_what_is_gone
run an_object_that_was_deleted_after_its_file_is_lost
run what_another_bucket_holds_is_sent_to_the_one_of_the_settings
run without_its_file_it_is_announced_where_it_lies
run an_upload_that_was_begun_in_another_bucket_begins_again_and_leaves_nothing_there
run a_kept_copy_whose_object_is_gone_stays_and_is_sent_again itself
run a_kept_copy_whose_object_is_gone_stays_and_is_sent_again another
end_of_cases
