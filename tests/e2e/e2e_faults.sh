#!/usr/bin/env bash
#
# e2e_faults.sh - end to end: what goes wrong on the way to the bucket leaves the files untouched, is
# told in one last line that says what to do, and has the exit code of its kind.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

# A small file, which is one PUT, and a larger one, which is a multipart upload.
make_session() {
	make_file "$session/12345_a.mp4" 1000
	make_file "$session/12345_b.mp4" $((8 * MIB + 1))
}

# expect_failure CODE REGULAR-EXPRESSION [NAME=VALUE...]: and all is well as soon as the cause is gone.
expect_failure() {
	local before
	make_session
	before=$(state_of "$session")
	finalize "${@:3}" "$session"
	expect_code "$1" "$2"
	expect "the files" "$before" "$(state_of "$session")"
	expect "requests to the backend" '' "$(notices)"
	expect keys '' "$(keys)"
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect_object 12345_b.mp4 "$copies/12345_b.mp4"
	expect "accepted notices" 2 "$(accepted_notices)"
}

a_wrong_secret() {
	more_secrets=(anotherSecretKey+001)
	expect_failure 1 'SignatureDoesNotMatch.*what to do: correct CONFOMEET_S3_CLIENT_SECRET' \
		CONFOMEET_S3_CLIENT_SECRET=anotherSecretKey+001
}

the_error_that_ends_a_run_is_said_once() {
	more_secrets=(anotherSecretKey+001)
	make_file "$session/12345_a.mp4" 1000
	finalize CONFOMEET_S3_CLIENT_SECRET=anotherSecretKey+001 "$session"
	expect_code 1 'SignatureDoesNotMatch'
	expect "lines with the error" 1 "$(grep -c SignatureDoesNotMatch <<<"$output")"
}

a_wrong_access_key() {
	expect_failure 1 'InvalidAccessKeyId.*what to do: correct CONFOMEET_S3_CLIENT_ID' \
		CONFOMEET_S3_CLIENT_ID=TESTACCESSKEY0000009
}

a_bucket_that_does_not_exist() {
	expect_failure 1 'NoSuchBucket.*what to do: correct CONFOMEET_S3_BUCKET' \
		CONFOMEET_S3_BUCKET=no-such-bucket-at-all
}

keys_without_a_right_to_the_bucket() {
	expect_failure 1 'AccessDenied.*what to do: .*CONFOMEET_S3_CLIENT_ID.*CONFOMEET_S3_BUCKET' \
		"CONFOMEET_S3_CLIENT_ID=$S3_OTHER_ACCESS_KEY" \
		"CONFOMEET_S3_CLIENT_SECRET=$S3_OTHER_SECRET_KEY"
}

# A port that no process listens on: that of a program that has just ended.
no_server() {
	local port=$backend_port
	stop_backend
	backend_port=0
	start_backend
	expect_failure 75 '[Cc]onnect.*what to do: .*CONFOMEET_S3_URL' \
		"CONFOMEET_S3_URL=http://127.0.0.1:$port" CONFOMEET_S3_RETRY_FOR=1s
}

a_server_name_without_an_address() {
	expect_failure 75 'resolve.*what to do: .*CONFOMEET_S3_URL' \
		CONFOMEET_S3_URL=http://s3.example.invalid CONFOMEET_S3_RETRY_FOR=500ms \
		CONFOMEET_S3_CONNECT_TIMEOUT=2s
}

# Accepts connections and says nothing.
a_server_that_does_not_answer() {
	local ready
	mkfifo "$case_dir/ready"
	perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 64) or die;
		$| = 1;
		print $s->sockport, "\n";
		sleep;' >"$case_dir/ready" &
	pids+=("$!")
	read -r -t 10 ready <"$case_dir/ready"
	rm "$case_dir/ready"
	expect_failure 75 'what to do: ' "CONFOMEET_S3_URL=http://127.0.0.1:$ready" \
		CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_S3_IDLE_TIMEOUT=1s
}

a_certificate_of_nobody_known() {
	expect_failure 1 'certificate.*what to do: .*CONFOMEET_CA_FILE' "CONFOMEET_S3_URL=$S3_TLS_ENDPOINT"
}

# Each name below localhost is this machine; the certificate is for those of one level.
a_certificate_for_another_name() {
	expect_failure 1 'certificate.*what to do: ' "CONFOMEET_CA_FILE=$S3_TLS_CERT" \
		"CONFOMEET_S3_URL=${S3_TLS_ENDPOINT/127.0.0.1/not.in.it.localhost}"
}

a_known_certificate_is_fine() {
	make_session
	finalize "CONFOMEET_S3_URL=$S3_TLS_ENDPOINT" "CONFOMEET_CA_FILE=$S3_TLS_CERT" "$session"
	expect_code 0
	expect_all_gone
	expect_object 12345_b.mp4 "$copies/12345_b.mp4"
}

not_all_within_the_time_that_Jibri_may_be_held() {
	local before
	make_file "$session/12345_a.mp4" $((64 * MIB))
	before=$(state_of "$session")
	finalize CONFOMEET_FINALIZE_WAIT=1s CONFOMEET_S3_RATE_LIMIT=24MiB "$session"
	expect_code 75 'CONFOMEET_FINALIZE_WAIT.*what to do: call it again'
	expect "the files" "$before" "$(state_of "$session")"
	finalize "$session"
	expect_code 0
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect "accepted notices" 1 "$(accepted_notices)"
}

wrong_settings_are_told_all_at_once() {
	local before name
	more_secrets=(a-proxy-password)
	make_session
	before=$(state_of "$session")
	finalize CONFOMEET_S3_URL=ftp://host CONFOMEET_S3_BUCKET=x CONFOMEET_S3_PART_SIZE=1MiB \
		CONFOMEET_KEEP_LOCAL=sometimes CONFOMEET_PROXY=gopher://user:a-proxy-password@host \
		CONFOMEET_S3_CLIENT_ID= CONFOMEET_S3_REGON=ru-central1 "$session"
	expect_code 78 'what to do: correct them'
	for name in CONFOMEET_S3_URL CONFOMEET_S3_BUCKET CONFOMEET_S3_PART_SIZE CONFOMEET_KEEP_LOCAL \
		CONFOMEET_PROXY CONFOMEET_S3_CLIENT_ID; do
		expect "lines on $name" 1 "$(grep -cE "error: $name" <<<"$output")"
	done
	expect "the files" "$before" "$(state_of "$session")"
	expect "what is beside them" nzqxnaoiugxqlhbp "$(ls -A "$recordings")"
}

a_name_that_is_nearly_a_setting_is_pointed_out() {
	make_file "$session/12345_a.mp4" 10
	finalize CONFOMEET_S3_REGON=ru-central1 "$session"
	expect_code 0
	expect_match "what was said" 'CONFOMEET_S3_REGON.*CONFOMEET_S3_REGION' "$output"
}

settings_come_from_a_file_and_the_environment_goes_before_it() {
	local name
	make_file "$session/12345_a.mp4" 1000
	for name in "${environment[@]}"; do
		[[ $name != CONFOMEET_* ]] || printf '%s\n' "$name"
	done >"$case_dir/finalize.env"
	printf '%s\n' '# a comment' '' CONFOMEET_S3_KEY_PREFIX=from-the-file/ \
		JIBRI_INSTANCE_ID=from-the-file 'CONFOMEET_S3_STORAGE_CLASS="NO_SUCH_CLASS"' \
		>>"$case_dir/finalize.env"
	environment=("PATH=$PATH")
	# An empty variable is an unset one: the file's value holds.
	finalize CONFOMEET_S3_KEY_PREFIX=from-the-environment/ JIBRI_INSTANCE_ID= \
		CONFOMEET_S3_STORAGE_CLASS=STANDARD --config "$case_dir/finalize.env" "$session"
	expect_code 0
	expect keys from-the-environment/12345_a.mp4 "$(keys)"
	expect "the file's value" from-the-file "$(object_header "$(keys)" x-amz-meta-jibri-instance)"
}

a_settings_file_that_is_not_there() {
	make_file "$session/12345_a.mp4" 10
	finalize --config "$case_dir/no-such-file" "$session"
	expect_code 78
	expect_match "what was said" 'no-such-file' "$output"
	expect keys '' "$(keys)"
}

a_directory_that_is_not_there() {
	finalize "$recordings/no-such-session"
	expect_code 66 'no-such-session.*what to do: give it the session directory'
	expect "what is beside it" nzqxnaoiugxqlhbp "$(ls -A "$recordings")"
}

a_directory_that_is_a_file() {
	printf x >"$recordings/file"
	finalize "$recordings/file"
	expect_code 66
	expect "the file" x "$(cat "$recordings/file")"
}

an_empty_directory() {
	finalize "$session"
	expect_code 66 'holds no file to upload.*what to do: '
	[ -d "$session" ] || fail "it was removed"
}

the_recordings_directory_itself() {
	make_file "$session/12345_a.mp4" 10
	make_file "$recordings/other/12345_b.mp4" 10
	finalize "$session"
	expect_code 0
	finalize "$recordings"
	expect_code 64
	expect keys 12345_a.mp4 "$(keys)"
}

wrong_usage() {
	local arguments
	make_file "$session/12345_a.mp4" 10
	for arguments in '' '--no-such-option' "$session $session" '--config' "--config= $session --x"; do
		# shellcheck disable=SC2086  # words
		finalize $arguments
		expect_code 64 'jibri-finalize --help'
	done
	finalize ''
	expect_code 64
	expect keys '' "$(keys)"
}

# No secret is in the list of processes, those of children among them.
no_secret_is_on_the_command_line() {
	local pid
	make_file "$session/12345_a.mp4" $((48 * MIB))
	start_finalize CONFOMEET_S3_RATE_LIMIT=24MiB CONFOMEET_BACKEND_TOKEN=the-backend-token "$session"
	pid=$!
	wait_for 30 has_parts 1
	kill -STOP "$pid" # it must not be done before
	expect "the command line" "$program $session" "$(tr '\0' ' ' <"/proc/$pid/cmdline" | sed 's/ $//')"
	expect "children" '' "$(cat "/proc/$pid/task/"*/children)"
	kill -CONT "$pid"
	finish_finalize "$pid"
	expect_code 0
}

# What the sink does not take the first time, one request of five.
a_server_that_refuses_now_and_then() {
	start_sink --fail-rate 0.2 --seed 7 --journal "$case_dir/sink"
	make_file "$session/12345_a.mp4" $((100 * MIB))
	make_file "$session/metadata.json" 10
	finalize "CONFOMEET_S3_URL=$sink_url" "$session"
	expect_code 0
	expect_all_gone
	[ "$(grep -c '^F ' "$case_dir/sink")" -gt 0 ] || fail "nothing was refused"
	expect "the object's size" 104857600 "$(awk '$1 == "D" { print $4 }' "$case_dir/sink")"
}

run a_wrong_secret
run the_error_that_ends_a_run_is_said_once
run a_wrong_access_key
run a_bucket_that_does_not_exist
run keys_without_a_right_to_the_bucket
run no_server
run a_server_name_without_an_address
run a_server_that_does_not_answer
run a_certificate_of_nobody_known
run a_certificate_for_another_name
run a_known_certificate_is_fine
run not_all_within_the_time_that_Jibri_may_be_held
run wrong_settings_are_told_all_at_once
run a_name_that_is_nearly_a_setting_is_pointed_out
run settings_come_from_a_file_and_the_environment_goes_before_it
run a_settings_file_that_is_not_there
run a_directory_that_is_not_there
run a_directory_that_is_a_file
run an_empty_directory
run the_recordings_directory_itself
run wrong_usage
run no_secret_is_on_the_command_line
run a_server_that_refuses_now_and_then
end_of_cases
