#!/usr/bin/env bash
#
# e2e_check.sh - end to end: jibri-finalize check, --help, --version, and what the log looks like.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/faults/faults.sh
. "$(dirname "${BASH_SOURCE[0]}")/../faults/faults.sh"

check() {
	local advice=no # each finding has its own
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" "$@" check
	expect keys '' "$(keys)"
	expect "requests that add something at the backend" 0 "$(accepted_notices)"
}

# expect_finding ok|WRONG SUBJECT [REGULAR-EXPRESSION]
expect_finding() {
	expect_match "the finding on $2" "(^|"$'\n'")$1 +$2 +[^"$'\n'"]*${3:-}" "$output"
}

check_finds_all_well() {
	check
	expect_code 0
	for subject in settings recordings journal keys clock reading writing metadata backend; do
		expect_finding ok "$subject"
	done
	expect "findings of something wrong" 0 "$(grep -c '^WRONG' <<<"$output" || true)"
	expect "findings" 9 "$(grep -c '^ok ' <<<"$output")"
}

# With the old script in the PATH, and what it left an hour ago.
check_finds_the_old_installation() {
	local old=$case_dir/old named
	mkdir -p "$old" "$recordings/past" "$recordings/crashed"
	# shellcheck disable=SC2016  # the script's own
	printf '#!/bin/sh\naws s3 cp "$1"/*.mp4 s3://recordings/\n' >"$old/finalize-s3.sh"
	chmod 755 "$old/finalize-s3.sh"
	echo '{}' >"$recordings/past/metadata.json"
	echo x >"$recordings/crashed/1_a.mp4"
	touch -d '1 hour ago' "$recordings"/*/*
	check "PATH=$old:$PATH"
	expect_code 1
	expect_finding WRONG finalizer "Jibri calls $old/finalize-s3.sh, which is not jibri-finalize; remove the old script"
	expect_finding NOTE old 'on the disk, but not in the journal: 2 sessions, 1 with media.*retry --all'
	check JIBRI_FINALIZE_RECORDING_SCRIPT_PATH=finalize-local.sh
	expect_code 1
	expect_finding WRONG finalizer 'told to call finalize-local.sh .*no program here.*finalize-s3.sh'
	mkdir -p "$old/jibri-finalize"
	echo '#!/bin/sh' >"$old/not-executable"
	for named in "$old/jibri-finalize" "$old/not-executable" 'finalize-s3.sh --verbose'; do
		check JIBRI_FINALIZE_RECORDING_SCRIPT_PATH="$named"
		expect_code 1
		expect_finding WRONG finalizer "told to call $named .*no program here.*a program without arguments"
	done
	printf '#!/bin/sh\nexec jibri-finalize "$@"\n' >"$old/finalize-s3.sh"
	check "PATH=$old:$PATH" # a wrapper is as good
	expect_code 0
}

# The home directory is that of the user's entry, whatever HOME says.
# shellcheck disable=SC2016  # expanded by the other shell
check_finds_the_secret_of_the_aws_cli() {
	local namespace=-rm
	[ "$(id -u)" != 0 ] || namespace=-m
	if ! unshare "$namespace" true; then
		echo "not tried: nothing can be mounted here"
		return 0
	fi
	mkdir -p "$case_dir/home/.aws"
	printf '[default]\naws_secret_access_key = not-to-be-shown\n' >"$case_dir/home/.aws/credentials"
	echo "root:x:0:0::$case_dir/home:/bin/sh" >"$case_dir/passwd"
	program_prefix=(unshare "$namespace" sh -c 'mount --bind "$0" /etc/passwd && exec "$@"' "$case_dir/passwd")
	check
	expect_code 0
	expect_finding NOTE old "left a secret key in $case_dir/home/.aws/credentials; remove"
	! grep -q not-to-be-shown <<<"$output" || fail "the secret is shown"
}

# FINDING SUBJECT REGULAR-EXPRESSION [NAME=VALUE...]
check_finds() {
	check "${@:4}"
	expect_code 1
	expect_finding "$1" "$2" "$3"
}

check_finds_a_wrong_secret() {
	more_secrets=(anotherSecretKey+001)
	check_finds WRONG reading 'CONFOMEET_S3_CLIENT_SECRET' \
		CONFOMEET_S3_CLIENT_SECRET=anotherSecretKey+001
}

check_finds_a_wrong_access_key() {
	check_finds WRONG reading 'CONFOMEET_S3_CLIENT_ID' CONFOMEET_S3_CLIENT_ID=TESTACCESSKEY0000009
}

check_finds_keys_without_a_right_to_the_bucket() {
	check_finds WRONG reading 'CONFOMEET_S3_BUCKET' "CONFOMEET_S3_CLIENT_ID=$S3_OTHER_ACCESS_KEY" \
		"CONFOMEET_S3_CLIENT_SECRET=$S3_OTHER_SECRET_KEY"
}

check_finds_a_missing_bucket() {
	check_finds WRONG '(reading|writing)' 'CONFOMEET_S3_BUCKET' \
		CONFOMEET_S3_BUCKET=no-such-bucket-at-all
}

check_finds_no_server() {
	check_finds WRONG reading '' CONFOMEET_S3_URL=http://s3.example.invalid
}

check_finds_a_certificate_of_nobody_known() {
	check_finds WRONG reading '[Cc]ertificate' "CONFOMEET_S3_URL=$S3_TLS_ENDPOINT"
}

check_finds_no_backend() {
	stop_backend
	check_finds WRONG backend 'CONFOMEET_BASE_URL'
	expect_finding ok writing
}

check_finds_a_backend_with_a_certificate_of_nobody_known() {
	check_finds WRONG backend 'does not answer: .*[Cc]ertificate.*CONFOMEET_CA_FILE' "CONFOMEET_BASE_URL=$S3_TLS_ENDPOINT/meet"
}

# check_by_proxy FAULT: a proxy that answers so in place of the servers.
check_by_proxy() {
	start_proxy "$case_dir/proxy.log" --fault "any:1-:$1"
	check "CONFOMEET_PROXY=http://user:password@${proxy_url#http://}" CONFOMEET_S3_URL=http://s3.example.invalid \
		CONFOMEET_BASE_URL=http://meet.example.invalid/meet
	expect_code 1
}

check_finds_a_proxy_that_refuses() {
	local subject
	check_by_proxy 407
	for subject in reading backend; do
		expect_finding WRONG "$subject" 'the proxy answers with HTTP status 407; correct the user and the password in CONFOMEET_PROXY'
	done
	stop_proxy
	check_by_proxy 401-html
	expect_finding WRONG reading 'status 401, not an S3 reply; see that CONFOMEET_S3_URL .*no proxy \(CONFOMEET_PROXY'
}

check_finds_a_directory_that_is_not_there() {
	recordings=$recordings/no-such check_finds WRONG recordings 'no-such'
	expect_finding ok writing
	[ ! -e "$recordings/no-such" ] || fail "it was made"
}

check_finds_a_journal_that_cannot_be() {
	printf x >"$case_dir/file"
	check_finds WRONG journal '' "CONFOMEET_JOURNAL=$case_dir/file/journal.db"
}

# check_through FAULT NAME=VALUE [OPTION]: with the fault proxy between.
check_through() {
	local advice=no # each finding has its own
	start_proxy "$case_dir/proxy.log" --fault "$1"
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" "CONFOMEET_S3_URL=$proxy_url" "$2" check "${@:3}"
}

check_finds_a_gateway_that_drops_metadata() {
	check_through head:2-:no-metadata CONFOMEET_S3_CONTENT_MD5=on
	expect_code 1
	expect_finding WRONG metadata 'x-amz-meta'
	expect keys '' "$(keys)"
}

check_finds_a_gateway_that_changes_sizes() {
	check_through head:2-:other-size CONFOMEET_S3_CONTENT_MD5=on
	expect_code 1
	expect_finding WRONG metadata '2024'
}

check_leaves_one_object_where_the_key_may_not_delete() {
	check_through delete:1-:403 CONFOMEET_S3_CONTENT_MD5=on
	expect_code 0
	expect_finding ok metadata 'jibri-finalize-check .*s3:DeleteObject'
	stop_proxy
	check_through delete:1-:403 CONFOMEET_S3_CONTENT_MD5=on
	expect_code 0
	expect keys jibri-finalize-check "$(keys)"
}

check_finds_the_body_limit_of_a_proxy() {
	check_through part:1-:413 CONFOMEET_S3_PARALLEL=1
	expect_code 1
	expect_finding WRONG writing 'body.*CONFOMEET_S3_PART_SIZE'
}

check_sends_a_part_of_the_real_size() {
	check_through part:9:500 CONFOMEET_S3_PART_SIZE=9MiB
	expect_code 0
	expect_finding ok writing '9 MiB'
	expect bytes $((9 * MIB)) "$(awk '$3 == "part" { print $7 }' "$case_dir/proxy.log")"
}

a_quick_check_sends_a_small_one() {
	check_through part:9:500 CONFOMEET_S3_PART_SIZE=9MiB --quick
	expect_code 0
	expect_finding ok writing '1 KiB'
	expect bytes 1024 "$(awk '$3 == "part" { print $7 }' "$case_dir/proxy.log")"
}

check_tells_of_a_server_that_does_not_list_parts() {
	check_through list_parts:1-:405 CONFOMEET_S3_PARALLEL=1
	expect_code 0
	expect_finding ok listing '405.*journal'
}

check_finds_wrong_settings() {
	check_finds WRONG settings CONFOMEET_S3_PART_SIZE CONFOMEET_S3_PART_SIZE=1MiB \
		CONFOMEET_LOG_FORMAT=xml
	expect "findings" 2 "$(grep -c '^WRONG settings' <<<"$output")"
}

help_and_version_need_no_settings() {
	environment=("PATH=$PATH")
	finalize --help
	expect_code 0
	expect_match "the help" 'Usage: jibri-finalize' "$output"
	expect_match "the help" CONFOMEET_S3_CLIENT_SECRET "$output"
	expect_at_most "lines of the help, which fits two screens" 80 "$(wc -l <<<"$output")"
	expect_at_most "columns of the help" 80 "$(wc -L <<<"$output")"
	local help
	help=$("$build/watcher/jibri-watcher" --help)
	expect_match "the watcher's help" CONFOMEET_LIVE_RATE_LIMIT "$help"
	expect_at_most "lines of the watcher's help" 80 "$(wc -l <<<"$help")"
	expect_at_most "columns of the watcher's help" 80 "$(wc -L <<<"$help")"
	finalize --version
	expect_code 0
	expect_match "the version" '^jibri-finalize [0-9]+\.[0-9]+\.[0-9]+$' "$output"
}

settings_are_explained_one_by_one() {
	finalize settings
	expect_code 0
	expect_match "all settings" 'CONFOMEET_S3_CLIENT_SECRET_FILE names a file' "$output"
	finalize CONFOMEET_S3_PARALLEL=7 settings CONFOMEET_S3_PARALLEL
	expect_code 0 'now      7 \(from the environment\)'
	finalize CONFOMEET_S3_PARALLEL=many settings CONFOMEET_S3_PARALLEL
	expect_code 78 'CONFOMEET_S3_PARALLEL cannot be used'
	expect_match "the setting" 'WRONG    CONFOMEET_S3_PARALLEL is "many"' "$output"
	finalize 'CONFOMEET_S3_OBJECT_HEADERS=host: x' settings CONFOMEET_S3_OBJECT_HEADERS
	expect_code 78 'CONFOMEET_S3_OBJECT_HEADERS cannot be used'
	expect_match "the setting" 'WRONG    CONFOMEET_S3_OBJECT_HEADERS: host is refused' "$output"
	finalize settings CONFOMEET_S3_PARALEL
	expect_code 64 'did you mean CONFOMEET_S3_PARALLEL'
}

each_line_of_the_json_log_is_an_object() {
	session=$recordings/$'a "b" \\ c \xff\n\t№'
	make_file "$session/12345_a.mp4" 1000
	make_file "$session/room_"$'"\\\x01\xfe.mp4' 1000
	mkfifo "$session/fi"$'\n'"fo"
	restart_backend --fail 500:1
	finalize CONFOMEET_LOG_FORMAT=json CONFOMEET_LOG_LEVEL=debug "$session" || true
	expect_code 1
	expect "lines that are no object" 0 \
		"$(while read -r line; do jq -e 'has("time") and has("level") and has("message")' <<<"$line" ||
			echo wrong; done <<<"$output" | grep -c wrong || true)"
	expect "levels" "debug error info warning" \
		"$(jq -r .level <<<"$output" | sort -u | paste -s -d ' ')"
}

only_what_was_asked_for_is_logged() {
	make_file "$session/12345_a.mp4" 1000
	finalize CONFOMEET_LOG_LEVEL=error "$session"
	expect_code 0
	expect "what was said" '' "$output"
}

progress_on_a_pipe_is_a_line_now_and_then() {
	make_file "$session/12345_a.mp4" $((26 * MIB))
	finalize CONFOMEET_S3_RATE_LIMIT=2MiB CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
	expect "lines on the progress" 1 "$(grep -c 'info: uploading: [0-9]* %, .* left' <<<"$output")"
}

progress_on_a_terminal_is_a_bar() {
	make_file "$session/12345_a.mp4" $((24 * MIB))
	env -i "${environment[@]}" TERM=xterm CONFOMEET_S3_RATE_LIMIT=16MiB \
		script -q -e -c "$program $session" "$case_dir/terminal" >/dev/null
	expect_all_gone
	grep -qF $'\e[K[#' "$case_dir/terminal" || fail "there is no bar"
}

run check_finds_all_well
run check_finds_the_old_installation
run check_finds_the_secret_of_the_aws_cli
run check_finds_a_wrong_secret
run check_finds_a_wrong_access_key
run check_finds_keys_without_a_right_to_the_bucket
run check_finds_a_missing_bucket
run check_finds_no_server
run check_finds_a_certificate_of_nobody_known
run check_finds_no_backend
run check_finds_a_backend_with_a_certificate_of_nobody_known
run check_finds_a_proxy_that_refuses
run check_finds_a_directory_that_is_not_there
run check_finds_a_journal_that_cannot_be
run check_finds_a_gateway_that_drops_metadata
run check_finds_a_gateway_that_changes_sizes
run check_leaves_one_object_where_the_key_may_not_delete
run check_finds_the_body_limit_of_a_proxy
run check_sends_a_part_of_the_real_size
run a_quick_check_sends_a_small_one
run check_tells_of_a_server_that_does_not_list_parts
run check_finds_wrong_settings
run help_and_version_need_no_settings
run settings_are_explained_one_by_one
run each_line_of_the_json_log_is_an_object
run only_what_was_asked_for_is_logged
run progress_on_a_pipe_is_a_line_now_and_then
run progress_on_a_terminal_is_a_bar
end_of_cases
