#!/usr/bin/env bash
#
# e2e_files.sh - end to end: files arrive in the bucket, byte for byte, and nothing else does.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

files_around_the_size_of_a_part_arrive() {
	make_file "$session/1_empty.mp4" 0
	make_file "$session/1_one-byte.mp4" 1
	make_file "$session/1_one-part.mp4" $((8 * MIB))
	make_file "$session/1_one-part-and-a-byte.mp4" $((8 * MIB + 1))
	finalize "$session"
	expect_code 0 'info: safe: 4 recordings'
	expect_all_gone
	for name in 1_empty 1_one-byte 1_one-part 1_one-part-and-a-byte; do
		expect_object_for_all "$name.mp4" "$copies/$name.mp4" video/mp4
	done
	expect "accepted notices" 4 "$(accepted_notices)"
	expect "sizes in the notices" "0 1 8388608 8388609 " \
		"$(notices .body.fileSize | sort -n | tr '\n' ' ')"
}

a_file_of_300_MiB_arrives() {
	make_file "$session/12345_2024-04-23-15-04-05.mp4" $((300 * MIB))
	finalize "$session"
	expect_code 0 'info: safe: 1 recording, 300 MiB, in [0-9.]+ s \(300 MiB sent, [0-9.]+ MiB/s\); the disk is freed'
	expect_all_gone
	expect_object_for_all 12345_2024-04-23-15-04-05.mp4 \
		"$copies/12345_2024-04-23-15-04-05.mp4" video/mp4
	expect "the notice" "12345 12345_2024-04-23-15-04-05.mp4 314572800 $bucket 12345_2024-04-23-15-04-05.mp4" \
		"$(notices '.body|"\(.meetingId) \(.fileName) \(.fileSize) \(.bucket) \(.key)"')"
}

two_recordings_and_other_files_of_one_session_arrive() {
	make_file "$session/12345_a.mp4" 100000
	make_file "$session/12346_b.webm" 200000
	make_file "$session/metadata.json" 0
	printf '{"meeting_url":"https://meet.example.org/12345","participants":[],"share":true}' |
		tee "$copies/metadata.json" >"$session/metadata.json"
	make_file "$session/logs/ffmpeg/ffmpeg.log" 3000
	make_file "$session/logs/empty.txt" 0
	finalize "$session"
	expect_code 0 'info: safe: 2 recordings'
	expect_all_gone
	expect keys "12345_a.mp4 12346_b.webm nzqxnaoiugxqlhbp/logs/empty.txt nzqxnaoiugxqlhbp/logs/ffmpeg/ffmpeg.log nzqxnaoiugxqlhbp/metadata.json" \
		"$(keys | paste -s -d ' ')"
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect_object 12346_b.webm "$copies/12346_b.webm"
	expect_object nzqxnaoiugxqlhbp/metadata.json "$copies/metadata.json"
	expect_object nzqxnaoiugxqlhbp/logs/ffmpeg/ffmpeg.log "$copies/ffmpeg.log"
	expect_object nzqxnaoiugxqlhbp/logs/empty.txt "$copies/empty.txt"
	expect "one notice for each recording" "12345_a.mp4 12346_b.webm" \
		"$(notices .body.key | sort | paste -s -d ' ')"
}

each_kind_of_file_has_its_content_type() {
	local name
	for name in 1_a.mp4 1_b.mkv 1_c.webm 1_d.m4a 1_E.MP4 metadata.json; do
		printf '{}' >"$session/$name"
	done
	finalize "$session"
	expect_code 0
	expect "content types" "1_E.MP4 video/mp4
1_a.mp4 video/mp4
1_b.mkv video/x-matroska
1_c.webm video/webm
1_d.m4a audio/mp4
nzqxnaoiugxqlhbp/metadata.json application/json" \
		"$(rclone_ lsjson -R --files-only ":s3:$bucket" | jq -r '.[]|"\(.Path) \(.MimeType)"' | LC_ALL=C sort)"
	expect "accepted notices" 5 "$(accepted_notices)"
}

nested_recordings_of_one_name_get_keys_of_their_own() {
	make_file "$session/12345_a.mp4" 1000 top
	make_file "$session/again/12345_a.mp4" 1001 again
	make_file "$session/more/again/12345_a.mp4" 1002 more
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect keys "12345_a.mp4 12345_a~2.mp4 12345_a~3.mp4" "$(keys | paste -s -d ' ')"
	expect_object 12345_a.mp4 "$copies/top"
	expect_object 12345_a~2.mp4 "$copies/again"
	expect_object 12345_a~3.mp4 "$copies/more"
	expect "notices" "12345_a.mp4 1000 12345_a.mp4;12345_a.mp4 1001 12345_a~2.mp4;12345_a.mp4 1002 12345_a~3.mp4" \
		"$(notices '.body|"\(.fileName) \(.fileSize) \(.key)"' | sort | paste -s -d ';')"
}

links_and_FIFOs_are_passed_over() {
	local outside=$case_dir/outside before
	make_file "$outside/secret.mp4" 1000
	make_file "$outside/inner/file" 1000
	make_file "$session/12345_a.mp4" 1000
	ln -s "$outside/secret.mp4" "$session/12345_link.mp4"
	ln -s "$outside" "$session/directory"
	ln -s 12345_a.mp4 "$session/12345_inside.mp4"
	ln -s /nowhere "$session/dangling"
	mkfifo "$session/fifo" "$session/12345_fifo.mp4"
	before=$(state_of "$outside")
	finalize "$session"
	expect_code 0
	expect keys 12345_a.mp4 "$(keys)"
	expect "what is outside" "$before" "$(state_of "$outside")"
	expect "what stays in the session" \
		"12345_fifo.mp4 12345_inside.mp4 12345_link.mp4 dangling directory fifo" \
		"$(find "$session" -mindepth 1 -printf '%f\n' | LC_ALL=C sort | paste -s -d ' ')"
	expect_match "what was said" 'directory: is skipped: it is a symbolic link' "$output"
	expect_match "what was said" 'fifo: is skipped: it is a FIFO' "$output"
}

somebody_elses_object_is_left_alone() {
	local size=$1
	head -c 5000 /dev/urandom >"$case_dir/theirs"
	rclone_ copyto "$case_dir/theirs" ":s3:$bucket/12345_a.mp4"
	make_file "$session/12345_a.mp4" "$size"
	finalize "$session"
	expect_code 0
	expect_match "what was said" 'is the key of another object: 12345_a~2.mp4 is used' "$output"
	expect keys "12345_a.mp4 12345_a~2.mp4" "$(keys | paste -s -d ' ')"
	expect_object 12345_a.mp4 "$case_dir/theirs"
	expect_object 12345_a~2.mp4 "$copies/12345_a.mp4"
	expect "the notice" "12345_a.mp4 12345_a~2.mp4" "$(notices '.body|"\(.fileName) \(.key)"')"
}

somebody_elses_object_of_the_same_bytes_is_left_alone() {
	local before
	make_file "$session/12345_a.mp4" 5000
	rclone_ copyto "$copies/12345_a.mp4" ":s3:$bucket/12345_a.mp4"
	before=$(objects)
	finalize "$session"
	expect_code 0
	expect_object 12345_a~2.mp4 "$copies/12345_a.mp4"
	expect_match "the objects" "^${before//./\\.} 12345_a~2" "$(objects)"
}

somebody_elses_object_that_comes_during_the_upload_is_left_alone() {
	local pid
	head -c 5000 /dev/urandom >"$case_dir/theirs"
	make_file "$session/12345_a.mp4" $((48 * MIB))
	start_finalize CONFOMEET_S3_RATE_LIMIT=24MiB "$session"
	pid=$!
	wait_for 30 has_parts 1
	kill -STOP "$pid" # it must not be done before
	rclone_ copyto "$case_dir/theirs" ":s3:$bucket/12345_a.mp4"
	kill -CONT "$pid"
	finish_finalize "$pid"
	expect_code 0
	expect_object 12345_a.mp4 "$case_dir/theirs"
	expect_object 12345_a~2.mp4 "$copies/12345_a.mp4"
	expect "the notice" 12345_a~2.mp4 "$(notices .body.key)"
}

# A recording of the smallest kind that has its moov box.
write_complete_mp4() {
	printf '\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x0cmdatabcd\0\0\0\x08moov' >"$1"
}

a_recording_that_was_cut_off_is_marked() {
	write_complete_mp4 "$session/1_complete.mp4"
	head -c 30 "$session/1_complete.mp4" >"$session/1_cut-off.mp4"
	finalize "$session"
	expect_code 0
	expect_match "what was said" '1_cut-off.mp4: has no moov box' "$output"
	expect "mark of the complete one" '' "$(object_header 1_complete.mp4 x-amz-meta-jibri-incomplete)"
	expect "mark of the other" moov-missing \
		"$(object_header 1_cut-off.mp4 x-amz-meta-jibri-incomplete)"
}

credentials_in_the_metadata_stay_on_this_machine() {
	more_secrets=(sl.B0-token-of-dropbox refresh-token-of-dropbox)
	make_file "$session/12345_a.mp4" 1000
	printf '%s' '{"meeting_url":"https://meet.example.org/12345","participants":[{"name":"Ann"}],' \
		'"share":true,"upload_credentials":{"service_name":"dropbox","token":"sl.B0-token-of-dropbox",' \
		'"r_token":"refresh-token-of-dropbox"}}' >"$session/metadata.json"
	finalize CONFOMEET_LOG_LEVEL=debug "$session"
	expect_code 0
	expect_all_gone
	rclone_ copy ":s3:$bucket" "$case_dir/bucket"
	expect "tokens in the bucket" '' "$(grep -rlE 'token|upload_credentials' "$case_dir/bucket" || true)"
	expect "the rest of it" \
		'{"meeting_url":"https://meet.example.org/12345","participants":[{"name":"Ann"}],"share":true}' \
		"$(jq -cS . "$case_dir/bucket/nzqxnaoiugxqlhbp/metadata.json")"
	expect "the journal's facts" 'https://meet.example.org/12345|1' \
		"$(query 'SELECT meeting_url, share FROM recording')"
}

broken_metadata_is_no_reason_to_fail() {
	make_file "$session/12345_a.mp4" 1000
	printf '{"meeting_url": "https://meet' | tee "$copies/metadata.json" >"$session/metadata.json"
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect_object nzqxnaoiugxqlhbp/metadata.json "$copies/metadata.json"
}

broken_metadata_with_credentials_stays_on_this_machine() {
	more_secrets=(sl.B0-token-of-dropbox)
	make_file "$session/12345_a.mp4" 1000
	printf '{"upload_credentials":{"token":"sl.B0-token-of-dropbox"' >"$session/metadata.json"
	finalize "$session"
	expect_code 0
	expect keys 12345_a.mp4 "$(keys)"
	expect "what stays" metadata.json "$(ls "$session")"
	expect "accepted notices" 1 "$(accepted_notices)"
	finalize "$session"
	expect_code 0
	expect "accepted notices" 1 "$(accepted_notices)"
}

keys_follow_the_prefix_template() {
	make_file "$session/12345_2024-04-23-15-04-05.mp4" 1000
	make_file "$session/metadata.json" 10
	finalize JIBRI_INSTANCE_ID=jibri-7 \
		'CONFOMEET_S3_KEY_PREFIX=rec/{yyyy}/{mm}-{dd}/{meeting}/{instance}/{session}/' "$session"
	expect_code 0
	expect keys "rec/2024/04-23/12345/jibri-7/nzqxnaoiugxqlhbp/12345_2024-04-23-15-04-05.mp4
rec/2024/04-23/12345/jibri-7/nzqxnaoiugxqlhbp/nzqxnaoiugxqlhbp/metadata.json" "$(keys)"
	expect "the notice" \
		"12345_2024-04-23-15-04-05.mp4 rec/2024/04-23/12345/jibri-7/nzqxnaoiugxqlhbp/12345_2024-04-23-15-04-05.mp4" \
		"$(notices '.body|"\(.fileName) \(.key)"')"
}

members_of_the_metadata_fill_in_the_prefix() {
	make_file "$session/1_a.mp4" 1000
	echo '{"meeting_url":"https://meet.example.org/1","tenant":"a/b","token":"t"}' >"$session/metadata.json"
	finalize 'CONFOMEET_S3_KEY_PREFIX={metadata.tenant}/{metadata.token}/' "$session"
	expect_code 0
	expect keys "a%2Fb/unknown/1_a.mp4
a%2Fb/unknown/nzqxnaoiugxqlhbp/metadata.json" "$(keys)"
}

it_works_under_its_old_name_and_found_through_PATH() {
	cmake --install "$build" --prefix "$case_dir/prefix" >"$case_dir/install.log"
	expect "the old name" jibri-finalize "$(readlink "$case_dir/prefix/bin/finalize-s3.sh")"
	make_file "$session/12345_a.mp4" 1000
	environment+=("PATH=$case_dir/prefix/bin:$PATH")
	program=finalize-s3.sh
	finalize "$session"
	expect_code 0
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
}

it_finds_a_bucket_in_the_host_name() {
	make_file "$session/12345_a.mp4" $((8 * MIB + 1))
	finalize CONFOMEET_S3_ADDRESSING=virtual \
		"CONFOMEET_S3_URL=${S3_ENDPOINT/127.0.0.1/localhost}" "$session"
	expect_code 0
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
}

what_is_asked_for_reaches_the_object() {
	local key
	make_file "$session/12345_one.mp4" 1000
	make_file "$session/12345_two.mp4" $((8 * MIB + 1))
	finalize CONFOMEET_S3_CONTENT_MD5=on CONFOMEET_S3_STORAGE_CLASS=STANDARD \
		JIBRI_INSTANCE_ID=jibri-7 'CONFOMEET_S3_METADATA=department=Sales & more,kept-by=archive' \
		"$session"
	expect_code 0
	for key in 12345_one.mp4 12345_two.mp4; do
		expect department 'Sales & more' "$(object_header $key x-amz-meta-department)"
		expect kept-by archive "$(object_header $key x-amz-meta-kept-by)"
		expect jibri-session nzqxnaoiugxqlhbp "$(object_header $key x-amz-meta-jibri-session)"
		expect jibri-instance jibri-7 "$(object_header $key x-amz-meta-jibri-instance)"
	done
}

# From a file of settings, where ';' and quotes stay what they are.
headers_of_the_settings_reach_objects_of_either_kind() {
	local key
	make_file "$session/1_2026-01-02-03-04-05.mp4" $((8 * MIB + 1))
	make_file "$session/2_2026-01-02-03-04-05.mp4" 1000
	printf '%s\n' 'CONFOMEET_S3_OBJECT_HEADERS=cache-control: private, max-age=60; content-disposition: attachment; filename="a b.mp4"; x-amz-tagging: kept=long&by=archive; x-amz-acl: public-read; x-amz-request-payer: requester' \
		>"$case_dir/finalize.env"
	finalize --config "$case_dir/finalize.env" "$session"
	expect_code 0
	for key in 1_2026-01-02-03-04-05.mp4 2_2026-01-02-03-04-05.mp4; do
		expect_object "$key" "$copies/$key"
		expect "$key's Cache-Control" 'private, max-age=60' "$(object_header "$key" Cache-Control)"
		expect "$key's Content-Disposition" 'attachment; filename="a b.mp4"' "$(object_header "$key" Content-Disposition)"
		expect "who may read $key" FULL_CONTROL,READ "$(aws_ s3api get-object-acl --bucket "$bucket" --key "$key" |
			jq -r '[.Grants[].Permission] | sort | join(",")')"
	done
	# Of a multipart upload, of any client, this server drops them.
	expect "the tags" 'by=archive kept=long' "$(aws_ s3api get-object-tagging --bucket "$bucket" --key "$key" |
		jq -r '[.TagSet[] | "\(.Key)=\(.Value)"] | sort | join(" ")')"
}

run files_around_the_size_of_a_part_arrive
run a_file_of_300_MiB_arrives
run two_recordings_and_other_files_of_one_session_arrive
run each_kind_of_file_has_its_content_type
run nested_recordings_of_one_name_get_keys_of_their_own
run links_and_FIFOs_are_passed_over
run somebody_elses_object_is_left_alone 1000
run somebody_elses_object_is_left_alone $((8 * MIB + 1))
run somebody_elses_object_of_the_same_bytes_is_left_alone
run somebody_elses_object_that_comes_during_the_upload_is_left_alone
run a_recording_that_was_cut_off_is_marked
run credentials_in_the_metadata_stay_on_this_machine
run broken_metadata_is_no_reason_to_fail
run broken_metadata_with_credentials_stays_on_this_machine
run keys_follow_the_prefix_template
run members_of_the_metadata_fill_in_the_prefix
run it_works_under_its_old_name_and_found_through_PATH
run it_finds_a_bucket_in_the_host_name
run what_is_asked_for_reaches_the_object
run headers_of_the_settings_reach_objects_of_either_kind
end_of_cases
