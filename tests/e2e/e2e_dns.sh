#!/usr/bin/env bash
#
# e2e_dns.sh - end to end: a name that DNS does not answer for holds up nothing but what goes there.
#
# Each look-up takes a minute (tests/tools/silent_dns.c). See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

silence() {
	environment+=(ASAN_OPTIONS=verify_asan_link_order=0 "LD_PRELOAD=$build/tests/tools/silent-dns.so" "SILENT_DNS_LOG=$case_dir/asked" "$@")
}

# Told to stop while the name is looked up, it ends within the five seconds that are promised.
stop_while_resolving() {
	local pid started
	start_finalize "$session"
	pid=$!
	wait_for 20 grep -q silent "$case_dir/asked"
	started=$SECONDS
	kill -TERM "$pid"
	finish_finalize "$pid"
	expect_within 5 $((SECONDS - started))
	expect_code 75
}

a_stop_does_not_wait_for_the_name_of_the_bucket() {
	make_file "$session/12345_a.mp4" $((8 * MIB + 1))
	silence CONFOMEET_S3_URL=http://s3.silent/
	stop_while_resolving
}

a_stop_does_not_wait_for_the_name_of_the_backend() {
	make_file "$session/12345_a.mp4" 1000
	silence CONFOMEET_BASE_URL=http://backend.silent/meet
	stop_while_resolving
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
}

jibri_is_not_held_longer_than_it_may_be() {
	local started=$SECONDS
	make_file "$session/12345_a.mp4" 1000
	silence "$1=http://some.silent/"
	finalize CONFOMEET_FINALIZE_WAIT=2s "$session"
	expect_code 75
	expect_within 6 $((SECONDS - started))
}

# The notice of the first file is waited for while the second one is sent.
other_transfers_go_on_while_the_name_of_the_backend_is_looked_up() {
	make_file "$session/12345_a.mp4" 1000
	make_file "$session/12345_b.mp4" $((40 * MIB))
	silence CONFOMEET_BASE_URL=http://backend.silent/meet
	finalize CONFOMEET_S3_RATE_LIMIT=8MiB CONFOMEET_FINALIZE_WAIT=20s CONFOMEET_S3_CONNECT_TIMEOUT=1s "$session"
	expect_code 75
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect_object 12345_b.mp4 "$copies/12345_b.mp4"
}

events_that_cannot_be_delivered_hold_up_nobody() {
	local started=$SECONDS
	make_file "$session/12345_a.mp4" 1000
	silence CONFOMEET_WEBHOOK_URL=http://hook.silent/
	finalize "$session"
	expect_code 0
	expect_within 8 $((SECONDS - started))
}

run a_stop_does_not_wait_for_the_name_of_the_bucket
run a_stop_does_not_wait_for_the_name_of_the_backend
run jibri_is_not_held_longer_than_it_may_be CONFOMEET_S3_URL
run jibri_is_not_held_longer_than_it_may_be CONFOMEET_BASE_URL
run other_transfers_go_on_while_the_name_of_the_backend_is_looked_up
run events_that_cannot_be_delivered_hold_up_nobody
end_of_cases
