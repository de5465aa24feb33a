#!/usr/bin/env bash
#
# e2e_keys.sh - end to end: keys that are good for a while, of the settings or of the platform. They are real sessions
# of the S3 server; the platform is a stand-in (tools/key_giver.py).
#
# See e2e.sh for how to run it.

# shellcheck source=tests/faults/faults.sh
. "$(dirname "${BASH_SOURCE[0]}")/../faults/faults.sh"

token=platforms-own-token

# A gateway that knows session tokens, of the same buckets. It answers AccessDenied to a wrong secret, so that the
# others' is without.
start_session_gateway() {
	local port
	use_server
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	radosgw -f -n client.rgw -c "$S3_STATE/ceph.conf" --rgw-s3-auth-use-sts=true --rgw-sts-key=test-session-key \
		--rgw-frontends="beast endpoint=127.0.0.1:$port" --admin-socket= --log-file="$work/gateway.log" >"$work/gateway.out" 2>&1 &
	session_gateway=$!
	trap 'kill "$session_gateway"; wait "$session_gateway" 2>/dev/null; leave' EXIT
	S3_ENDPOINT=http://127.0.0.1:$port
	for ((tries = 0; tries < 600; tries++)); do
		! curl -s -o /dev/null --max-time 5 --noproxy '*' "$S3_ENDPOINT/" || return 0
		sleep 0.1
	done
	echo "the gateway does not answer" >&2
	exit 1
}

make_role() {
	local conf=$S3_STATE/ceph.conf
	radosgw-admin -c "$conf" role get --role-name=recorder >/dev/null 2>&1 ||
		radosgw-admin -c "$conf" role create --role-name=recorder --assume-role-policy-doc='{"Version":"2012-10-17",
			"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam:::user/owner"]},"Action":["sts:AssumeRole"]}]}'
	radosgw-admin -c "$conf" role-policy put --role-name=recorder --policy-name=all --policy-doc='{"Version":"2012-10-17",
		"Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":"arn:aws:s3:::*"}]}'
}

# give_keys SECONDS|"status N"|hang
give_keys() { echo "$1" >"$case_dir/answer"; }
given() { grep -c "^${1:-keys}" "$case_dir/giver.log" || true; }

start_giver() {
	local ready
	make_role
	give_keys 3600
	: >"$case_dir/giver.log"
	mkfifo "$case_dir/giver"
	python3 -B "$tests/tools/key_giver.py" "$S3_ENDPOINT" "$S3_ACCESS_KEY" "$S3_SECRET_KEY" "$case_dir/giver.log" \
		"$case_dir/answer" "$token" >"$case_dir/giver" &
	pids+=($!)
	read -r -t 10 ready <"$case_dir/giver" || fail "the stand-in does not start"
	giver=http://127.0.0.1:${ready#port=}
	more_secrets=("$token")
}

# use web|container|instance|nothing: the settings have no key, and the platform has.
use() {
	local line kept=()
	for line in "${environment[@]}"; do
		case $line in CONFOMEET_S3_CLIENT_*) ;; *) kept+=("$line") ;; esac
	done
	printf %s "$token" >"$case_dir/token"
	environment=("${kept[@]}")
	case $1 in
	web) environment+=("AWS_WEB_IDENTITY_TOKEN_FILE=$case_dir/token" "AWS_ROLE_ARN=arn:aws:iam::1:role/recorder"
		"AWS_ENDPOINT_URL_STS=$giver") ;;
	container) environment+=("AWS_CONTAINER_CREDENTIALS_FULL_URI=$giver/v1/credentials"
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$case_dir/token") ;;
	instance) environment+=("AWS_EC2_METADATA_SERVICE_ENDPOINT=$giver") ;;
	esac
}

name=1_2026-01-02-03-04-05.mp4

the_platform_gives_keys() {
	start_giver
	use "$1"
	make_file "$session/$name" $((2 * 8 * MIB + 1))
	finalize "$session"
	expect_code 0
	expect_object "$name" "$copies/$name"
	expect "keys given" 1 "$(given)"
	expect "requests refused" 0 "$(given refused)"
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" check
	expect_code 0
	expect_match "where keys are from" "ok +keys +from $2, good until 20[0-9-]+ [0-9:]+ UTC" "$output"
}

a_session_token_in_files_is_used() {
	local given_keys part
	start_giver
	given_keys=$(curl -sS --noproxy '*' -H "Authorization: $token" "$giver/v1/credentials")
	for part in AccessKeyId SecretAccessKey Token; do
		jq -r ".$part" <<<"$given_keys" >"$case_dir/$part"
	done
	more_secrets+=("$(<"$case_dir/SecretAccessKey")" "$(<"$case_dir/Token")")
	use nothing
	environment+=("CONFOMEET_S3_CLIENT_ID_FILE=$case_dir/AccessKeyId"
		"CONFOMEET_S3_CLIENT_SECRET_FILE=$case_dir/SecretAccessKey"
		"CONFOMEET_S3_SESSION_TOKEN_FILE=$case_dir/Token" "AWS_EC2_METADATA_SERVICE_ENDPOINT=$giver")
	make_file "$session/$name" $((2 * 8 * MIB + 1))
	finalize "$session"
	expect_code 0
	expect_object "$name" "$copies/$name"
	expect "requests to the platform" 1 "$(given)" # of this case itself
}

with_a_key_in_the_settings_the_platform_is_not_asked() {
	start_giver
	environment+=("AWS_EC2_METADATA_SERVICE_ENDPOINT=$giver" "AWS_CONTAINER_CREDENTIALS_FULL_URI=$giver/v1/credentials"
		"AWS_CONTAINER_AUTHORIZATION_TOKEN=$token")
	make_file "$session/$name" 1000
	finalize "$session"
	expect_code 0
	expect "requests" '' "$(<"$case_dir/giver.log")"
}

keys_are_renewed_while_an_upload_goes_on() {
	start_giver
	use container
	give_keys 4
	proxy_log=$case_dir/proxy.log
	start_proxy "$proxy_log"
	make_file "$session/$name" $((6 * 5 * MIB))
	finalize "CONFOMEET_S3_URL=$proxy_url" CONFOMEET_S3_RATE_LIMIT=4MiB CONFOMEET_S3_PART_SIZE=5MiB \
		CONFOMEET_S3_MAX_OBJECT_SIZE=5GiB "$session"
	expect_code 0
	expect_object "$name" "$copies/$name"
	expect_at_least "keys given" 2 "$(given)"
	expect "requests refused by the server" 0 "$(requests any | awk '$8 >= 400 && $8 != 404' | wc -l)"
}

a_token_that_the_server_calls_expired_is_renewed() {
	start_giver
	use web
	proxy_log=$case_dir/proxy.log
	start_proxy "$proxy_log" --fault part:2:400-expired
	make_file "$session/$name" $((3 * 8 * MIB))
	finalize "CONFOMEET_S3_URL=$proxy_url" CONFOMEET_S3_PARALLEL=1 "$session"
	expect_code 0
	expect_object "$name" "$copies/$name"
	expect "keys given" 2 "$(given)"
}

a_platform_that_is_down_is_waited_for_and_then_left_for_later() {
	start_giver
	use container
	give_keys "status 503"
	make_file "$session/$name" 1000
	finalize CONFOMEET_S3_RETRY_FOR=3s "$session"
	expect_code 75
	expect_match "what it says" "no keys from the container's endpoint .*503.*see that the task or pod has a role" "$output"
	give_keys 3600
	finalize "$session"
	expect_code 0
	expect_object "$name" "$copies/$name"
}

a_platform_that_is_silent_holds_nothing_longer_than_the_wait_that_is_set() {
	local clock_s began_s
	start_giver
	use container
	give_keys hang
	make_file "$session/$name" 1000
	read_clock
	began_s=$clock_s
	finalize CONFOMEET_FINALIZE_WAIT=2s "$session"
	expect_code 75
	read_clock
	expect_within 8 $((clock_s - began_s))
}

where_there_are_no_keys_at_all_it_says_what_to_set() {
	start_giver
	use nothing
	make_file "$session/$name" 1000
	finalize AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1 "$session"
	expect_code 78
	expect_match "what it says" 'no keys from instance metadata.*set CONFOMEET_S3_CLIENT_ID' "$output"
	finalize AWS_EC2_METADATA_DISABLED=true "$session"
	expect_code 78
	expect_match "what it says" 'CONFOMEET_S3_CLIENT_ID is not set' "$output"
}

start_session_gateway
run the_platform_gives_keys web 'web identity'
run the_platform_gives_keys container "the container's endpoint"
run the_platform_gives_keys instance 'instance metadata'
run a_session_token_in_files_is_used
run with_a_key_in_the_settings_the_platform_is_not_asked
run keys_are_renewed_while_an_upload_goes_on
run a_token_that_the_server_calls_expired_is_renewed
run a_platform_that_is_down_is_waited_for_and_then_left_for_later
run a_platform_that_is_silent_holds_nothing_longer_than_the_wait_that_is_set
run where_there_are_no_keys_at_all_it_says_what_to_set
end_of_cases
