#!/usr/bin/env bash
#
# valgrind.sh - one recording from the disk to the bucket, and on to the backend and the removal, with
# valgrind (memcheck) looking for what is read or written amiss, and for memory that is lost.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

if ! command -v valgrind >/dev/null; then
	echo "not installed: valgrind; run scripts/install-deps"
	[ -z "${CI:-}" ] || exit 1
	exit 77
fi

under_valgrind() {
	program_prefix=(valgrind --quiet --error-exitcode=99 --leak-check=full
		--errors-for-leak-kinds=definite --num-callers=30 "--log-file=$case_dir/valgrind.%p")
	# shellcheck disable=SC2034  # e2e.sh reads it
	limit=600
}

expect_clean() {
	local said
	said=$(cat "$case_dir"/valgrind.*)
	expect "what valgrind says" '' "$said"
}

a_recording_in_parts_is_finalized_without_an_error() {
	make_file "$session/12345_a.mp4" $((6 * MIB))
	make_file "$session/logs/ffmpeg.log" 1000
	make_file "$session/metadata.json" 0
	printf '{"meeting_url":"https://meet.example.org/12345","participants":[{"name":"Ann"}],"share":true,%s' \
		'"upload_credentials":{"token":"a"}}' >"$session/metadata.json"
	ln -s nowhere "$session/link"
	restart_backend --fail 500:1
	under_valgrind
	# What OpenSSL does with TLS, too.
	finalize "CONFOMEET_S3_URL=$S3_TLS_ENDPOINT" "CONFOMEET_CA_FILE=$S3_TLS_CERT" \
		CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_CONTENT_MD5=on CONFOMEET_LOG_LEVEL=debug \
		CONFOMEET_BACKEND_TOKEN=the-token "$session"
	expect_clean
	expect_code 0
	expect "what stays" link "$(ls "$session")"
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect "accepted notices" 1 "$(accepted_notices)"
}

# A run that goes on with what an earlier one left, and one that fails.
a_run_that_fails_and_one_that_goes_on_are_without_an_error() {
	local pid
	make_file "$session/12345_a.mp4" $((11 * MIB))
	start_finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_RATE_LIMIT=6MiB "$session"
	pid=$!
	wait_for 30 has_parts 1
	kill -KILL "$pid"
	finish_finalize "$pid"
	under_valgrind
	finalize CONFOMEET_S3_CLIENT_SECRET=wrong CONFOMEET_S3_RETRY_FOR=0 "$session"
	expect_clean
	expect_code 1
	finalize "$session"
	expect_clean
	expect_code 0
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
}

run a_recording_in_parts_is_finalized_without_an_error
run a_run_that_fails_and_one_that_goes_on_are_without_an_error
end_of_cases
